"""The same texts to champion and candidate: what each says, side by side, and how often they agree."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from tuning import places, shadow, table
from tuning.answers import Engine, agrees, opened, said
from tuning.errors import BadRequest, NoCandidate
from tuning.request import whole_number

DEFAULT_ROWS = 20
MOST_ROWS = 1_000
_SEED = 42
_FIELDS = ("texts", "table", "columns", "limit", "shadow")


@dataclass(frozen=True)
class Asked:
    """A checked CompareRequest: texts, or a table and its columns; or what the shadow saw."""

    texts: tuple[str, ...]
    table: str
    columns: tuple[str, ...]
    """The text alone, or the label and the text."""
    limit: int
    shadow: bool


class Comparison(TypedDict):
    """The answers of both models to the same texts."""

    texts: int
    agreement: float | None
    """The share of the texts that both give the same label; None if there is none that both answered."""
    champion: dict[str, Any]
    """`id`; `accuracy` if the labels are known; `errors`, texts that it could not answer. Likewise `candidate`."""
    candidate: dict[str, Any]
    verdict: str
    rows: list[dict[str, Any]]
    """text, champion and candidate as label and score, agree; label if it is known."""


def parse(fields: Mapping[str, object]) -> Asked:
    """The comparison that a CompareRequest's fields mean. Raises `BadRequest`."""
    given = {name: value for name, value in fields.items() if value is not None and value not in ("", [])}
    for name in given:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(_FIELDS)}."
            raise BadRequest(f"A CompareRequest has no field {name!r}. {hint}")
    shadow = str(given.get("shadow", False)).strip().lower() in ("true", "1")
    texts = _texts(given.get("texts", ()))
    columns = tuple(part.strip().strip('"') for part in str(given.get("columns", "")).split(",") if part.strip())
    limit = whole_number("limit", given.get("limit", DEFAULT_ROWS), at_least=1)
    if limit > MOST_ROWS or len(texts) > MOST_ROWS:
        raise BadRequest(f"One comparison takes at most {MOST_ROWS:,} texts. Give fewer, or a smaller limit.")
    if not shadow and bool(texts) == ("table" in given):
        raise BadRequest(
            'Give either texts, such as {"texts": ["Really good"]}, or a table and its columns, such as '
            '{"table": "iris.Review", "columns": "ReviewLabel,ReviewText"}; or {"shadow": true}.'
        )
    if "table" in given and len(columns) not in (1, 2):
        raise BadRequest(f"columns is {given.get('columns')!r}. Name the column of the texts, or label and text.")
    return Asked(texts, str(given.get("table", "")), columns, limit, shadow)


def compare(
    root: Path, name: str, fields: Mapping[str, object], engine: Engine, connection: table.Connection
) -> Comparison | shadow.ShadowReport:
    """What a CompareRequest of `fields` asks for of the model `name`.

    Raises `BadRequest`, `NoCandidate`, and what the engine and the table raise.
    """
    asked = parse(fields)
    if asked.shadow:
        return shadow.report(root, name)
    at = places.places(root, name)
    if not places.noted_id(at.candidate):
        raise NoCandidate(f"There is no candidate of {name} to compare with, run a training first.")
    pairs = [(text, None) for text in asked.texts] or _rows(asked, connection)
    texts = [text for text, _ in pairs]
    trained_for = places.report(at.candidate).get("task")
    task = "token-classification" if trained_for == "token-classification" else "text-classification"
    with opened(engine, at.champion, task) as champion, opened(engine, at.candidate, task) as candidate:
        both = [(said(one), said(other)) for one, other in zip(champion(texts), candidate(texts), strict=True)]
    in_numbers = trained_for == "regression"
    rows: list[dict[str, Any]] = [
        {"text": text, "champion": one, "candidate": other, "agree": None if in_numbers else agrees(one, other)}
        | ({} if label is None or in_numbers else {"label": label})
        for (text, label), (one, other) in zip(pairs, both, strict=True)
    ]
    answered = [row["agree"] for row in rows if row["agree"] is not None]
    return Comparison(
        texts=len(rows),
        agreement=sum(answered) / len(answered) if answered else None,
        champion=_side("champion", rows, places.read(at.champion).id),
        candidate=_side("candidate", rows, places.noted_id(at.candidate)),
        verdict=_apart(rows) if in_numbers else f"They agree on {sum(answered)} of {len(answered)} texts.",
        rows=rows,
    )


def _texts(value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise BadRequest('texts must be a list of texts that are not empty, such as ["Really good", "Really bad"].')
    return tuple(texts)


def _rows(asked: Asked, connection: table.Connection) -> list[tuple[str, str | None]]:
    source = table.find_table(connection, asked.table)
    columns = [source.column(column) for column in asked.columns]
    rows = table.read_rows(connection, source, columns, asked.limit, _SEED)
    pairs = [(str(row[-1]), str(row[0]) if len(row) == 2 and row[0] is not None else None) for row in rows if row[-1]]
    if not pairs:
        raise BadRequest(f"{source} has no row with a text in {columns[-1]}. Name another column or table.")
    return pairs


def _side(who: str, rows: list[dict[str, Any]], model_id: str) -> dict[str, Any]:
    known = [row for row in rows if "label" in row]
    side: dict[str, Any] = {"id": model_id, "errors": sum(bool(row[who]["error"]) for row in rows)}
    if known:
        side["accuracy"] = sum(row[who]["label"] == row["label"] for row in known) / len(known)
    return side


def _apart(rows: list[dict[str, Any]]) -> str:
    """Two models that answer with numbers agree more or less."""
    scores = [(row["champion"]["score"], row["candidate"]["score"]) for row in rows]
    apart = [abs(one - other) for one, other in scores if one is not None and other is not None]
    mean = sum(apart) / len(apart) if apart else 0.0
    return f"Their numbers are {mean:.3g} apart on average, over {len(apart)} texts."
