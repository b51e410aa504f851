"""How many tokens a text has for a loaded model, how many the model takes, and whether more may be left out."""

from collections.abc import Mapping
from typing import Any

from inference.errors import InputRefused

MOST = 32_768
"""Where neither tokenizer nor model knows a limit, the memory has one."""

_NO_LIMIT = 1_000_000  # a tokenizer that knows no limit says 1e30


def are_cut(wanted: Mapping[str, Any]) -> bool:
    """Whether the options ask to leave out what is too long."""
    asked = [wanted.get("truncation"), options(wanted).get("truncation")]
    return any(one not in (None, False, "do_not_truncate") for one in asked)


def options(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What the options hold for the tokenizer alone."""
    names = ("tokenizer_kwargs", "tokenize_kwargs", "tokenizer_encode_kwargs")
    return {key: value for name in names if isinstance(wanted.get(name), dict) for key, value in wanted[name].items()}


def texts(main: Any, pairs: bool = False, chats: bool = False) -> list[Any]:
    """The plain texts in a main input; pairs of texts and chats where they are wanted."""
    values = main if isinstance(main, list) else [main]
    if chats and values and isinstance(values[0], dict):
        return [values]
    return [
        one
        for one in values
        if isinstance(one, str) or (pairs and isinstance(one, dict)) or (chats and isinstance(one, list))
    ]


def limit(pipeline: Any) -> int:
    """How many tokens the model takes at once."""
    most = int(pipeline.tokenizer.model_max_length)
    return most if most < _NO_LIMIT else MOST


def count(pipeline: Any, text: Any, most: int) -> int:
    """The tokens of a text, a pair or a chat; for one that is short beyond doubt its bytes, which are never fewer."""
    tokenizer = pipeline.tokenizer
    if isinstance(text, list):
        if not tokenizer.chat_template:
            raise InputRefused("This model has no template for chats. Send the text alone, or choose a chat model.")
        return len(tokenizer.apply_chat_template(text, add_generation_prompt=True, return_dict=True)["input_ids"])
    first, second = (text, None) if isinstance(text, str) else (text["text"], text.get("text_pair"))
    size = len(first.encode()) + len((second or "").encode()) + 8
    return size if size < most else len(tokenizer(first, second, truncation=False, verbose=False)["input_ids"])
