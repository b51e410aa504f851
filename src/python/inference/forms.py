"""Inputs that are more than a text or a reference: tables, pages, decisions, chats with pictures and sounds in them."""

import json
from typing import Any

from inference import bounds
from inference.errors import InputRefused
from inference.reading import Reader

LIMIT_CELLS = 20_000
"""How many cells the table of a question may have."""

TABLE_EXAMPLE = '{"table": {"city": ["Rome", "Oslo"]}, "query": "Which city is first?"}'
_DECISION_EXAMPLE = (
    '{"inputs": {"state": "some text", "questions": {"spam": {"type": "noul", "instructions": "Is it spam?"}}}}'
)
_CHAT_EXAMPLE = '[{"role": "user", "content": "some text"}]'
_MEDIA = {
    "image": ("image", "url", "path", "base64", "image_url"),
    "audio": ("audio", "url", "path", "base64", "audio_url"),
}


def is_chat(value: Any) -> bool:
    """Whether it is a list of messages; whether these are good ones, `chats` and `plain_chats` say."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "role" in one for one in value)


def plain_chats(value: Any) -> Any:
    """One chat or several, of texts alone."""
    if not is_chat(value):
        return [plain_chats(one) for one in value]
    for message in value:
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        for part in parts:
            if not isinstance(part, dict) or set(part) != {"type", "text"} or not isinstance(part["text"], str):
                raise InputRefused(f"A message needs a role and a text. Send {_CHAT_EXAMPLE}.")
        _check_role(message)
    return value


def _check_role(message: dict[str, Any]) -> None:
    if not isinstance(message["role"], str) or not message.get("content"):
        raise InputRefused(f"A message needs a role and a content. Send {_CHAT_EXAMPLE}.")


def chats(value: Any, reader: Reader) -> Any:
    """Chats with what they name read; the model's library is never left to follow an address."""
    if isinstance(value, list):
        return [chats(one, reader) for one in value]
    if not isinstance(value, dict):
        return value
    if "role" in value:
        _check_role(value)
    kind = str(value.get("type", "")).removesuffix("_url")
    if kind == "video":
        raise InputRefused("Parts of the type video cannot be sent. Send text, image and audio parts.")
    if kind in _MEDIA:
        given = next((value[name] for name in _MEDIA[kind] if value.get(name)), None)
        if isinstance(given, dict) and "url" in given:
            given = given["url"]
        return {"type": kind, kind: reader.picture(given) if kind == "image" else reader.sound(given)}
    return {name: chats(part, reader) for name, part in value.items()}


def word_boxes(value: Any) -> list[tuple[str, list[float]]]:
    """Words of a page and where they stand, in thousandths of its width and height."""
    if not isinstance(value, list) or not all(_is_word_box(entry) for entry in value):
        raise InputRefused(
            'word_boxes must be a list such as [["Total", [10, 20, 90, 40]]], from 0 to 1000. Correct it.'
        )
    if not value:
        raise InputRefused("word_boxes is empty. Send the words of the page, or leave it out.")
    return [(word, box) for word, box in value]


def _is_word_box(entry: Any) -> bool:
    match entry:
        case [str(), [_, _, _, _] as box]:
            return all(type(one) in (int, float) and 0 <= one <= 1000 for one in box)
    return False


def table(value: Any) -> dict[str, Any]:
    """A table as columns of texts, all of one length, and its question."""
    if not isinstance(value, dict) or not value.get("table") or not value.get("query"):
        raise InputRefused(f"A table and a query are needed. Send {TABLE_EXAMPLE}.")
    table, query = value["table"], value["query"]
    if isinstance(table, list) and all(isinstance(row, dict) for row in table):
        table = {
            name: [row.get(name) for row in table] for name in dict.fromkeys(name for row in table for name in row)
        }
    columns = list(table.values()) if isinstance(table, dict) else []
    if not columns or not all(isinstance(one, list) and one and len(one) == len(columns[0]) for one in columns):
        raise InputRefused(f"A table is columns of the same length, or rows that are objects. Send {TABLE_EXAMPLE}.")
    if len(columns) * len(columns[0]) > LIMIT_CELLS:
        raise InputRefused(f"The table has more than {LIMIT_CELLS:,} cells. Send fewer rows.")
    cells = {str(name): ["" if cell is None else str(cell) for cell in column] for name, column in table.items()}
    if not any(cell.strip() for column in cells.values() for cell in column):
        raise InputRefused(f"All cells of the table are empty. Send {TABLE_EXAMPLE}.")
    return {
        "table": cells,
        "query": [bounds.text(one) for one in query] if isinstance(query, list) else bounds.text(query),
    }


def decision(value: Any, reader: Reader) -> dict[str, Any]:
    """The state and the questions of a decision, as JSON or its text; its pictures read here."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InputRefused(
                f"A decision needs a state and questions ({error}). Send {_DECISION_EXAMPLE}."
            ) from error
        bounds.check_plain("inputs", value)
    if not isinstance(value, dict) or not {"state", "questions"} <= set(value) <= {"state", "questions", "assets"}:
        raise InputRefused(f"A decision needs a state and questions. Send {_DECISION_EXAMPLE}.")
    assets = value.get("assets") or {}
    if not isinstance(assets, dict):
        raise InputRefused('assets must name pictures, such as {"img-1": "/irisdev/app/misc/cat.jpg"}. Correct it.')
    request = {"state": value["state"], "questions": value["questions"]}
    return {**request, "assets": {name: reader.picture(one) for name, one in assets.items()}} if assets else request
