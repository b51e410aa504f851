"""Text from settings becomes typed Python values, here and nowhere else."""

import json

_WORDS = {"true": True, "false": False, "none": None, "null": None}


def parse_lines(text: str) -> dict[str, str]:
    """The `name=value` lines of a `%settings` text, values still text.

    Carriage returns are dropped, a line is split at its first `=`, and a line without a
    name is ignored: what IRIS does with the same text (`IOP.Common.SetPropertyValues`).
    """
    pairs: dict[str, str] = {}
    for line in text.replace("\r", "").split("\n"):
        name, _, value = line.partition("=")
        if name.strip():
            pairs[name.strip()] = value
    return pairs


def format_lines(pairs: dict[str, str]) -> str:
    """The `%settings` text of these pairs; the inverse of `parse_lines`."""
    return "\n".join(f"{name}={value}" for name, value in pairs.items())


def typed(value: object) -> object:
    """The Python value that a setting's text means; what is no text is returned as it is.

    `true`, `5`, `1e-4`, `null`, `[1, 2]` and `{"a": 1}` become what they look like;
    everything else stays text, stripped of surrounding white space.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    # int() and float() take "1_000", "nan" and "infinity" too; nobody means these in a setting.
    if text and text[0] in "+-.0123456789" and "_" not in text:
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                continue
    if text[:1] in ("[", "{", '"'):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
