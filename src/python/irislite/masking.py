"""Secrets in a message are replaced before the message is written for the first time."""

import json
import re

MASK = "********"
# Field names whose text values are secrets, at any depth of a message's JSON.
_NAMES = re.compile(r"(?:^|_)(?:api_?key|token|password|passwd|secret|authorization)$", re.IGNORECASE)
_HINT = re.compile(r"key|token|passw|secret|authorization", re.IGNORECASE)


def masked(content: str) -> str:
    """The JSON text with every secret replaced by `MASK`; any other text as it is."""
    if not _HINT.search(content):
        return content
    try:
        value = json.loads(content)
    except ValueError:
        return content
    return json.dumps(_masked_value(value), ensure_ascii=False)


def masked_setting(name: str, text: str | None) -> str:
    """A setting's text as it may be shown: secrets replaced, in the lines of a `%settings` text as well."""
    if text is None:
        return "(default)"
    lines = []
    for line in text.split("\n"):
        key, sign, value = line.partition("=")
        lines.append(f"{key}{sign}{MASK}" if sign and value and _NAMES.search(key.strip()) else line)
    return MASK if text and _NAMES.search(name) else "\n".join(lines)


def _masked_value(value: object) -> object:
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(inner, str) and inner and _NAMES.search(name) else _masked_value(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_masked_value(inner) for inner in value]
    return value
