"""Secrets in a message are replaced before the message is written for the first time."""

import json
import re
from typing import Any

MASK = "********"
# Field names whose texts are secrets, at any depth of a message's JSON; camelCase and dashes are read as underscores.
_NAMES = re.compile(r"(?:^|_)(?:api_?key|token|password|passwd|secret|authorization)$")


def masked(content: str) -> str:
    """The JSON text with every secret replaced by `MASK`; any other text as it is."""
    low = content.lower()  # most messages have no secrets, and this is asked of every one
    if not ("key" in low or "token" in low or "passw" in low or "secret" in low or "authorization" in low):
        return content
    try:
        value = json.loads(content)
    except ValueError:
        return content
    hidden = _masked_value(value)
    return content if hidden == value else json.dumps(hidden, ensure_ascii=False)


def masked_setting(name: str, text: str | None) -> str:
    """A setting's text as it may be shown: secrets replaced, in the lines of a `%settings` text as well."""
    if text is None:
        return "(default)"
    lines = []
    for line in text.split("\n"):
        key, sign, value = line.partition("=")
        lines.append(f"{key}{sign}{MASK}" if sign and value and is_secret(key.strip()) else line)
    return MASK if text and is_secret(name) else "\n".join(lines)


def unmasked_setting(name: str, text: str | None, old: str | None) -> str | None:
    """What was typed over a masked setting's `old` text: the masks in it stand for the secrets that are there."""
    if text is None or old is None or MASK not in text:
        return text
    if text == MASK and is_secret(name):
        return old
    secrets = {key.strip(): value for key, _, value in (line.partition("=") for line in old.split("\n"))}
    lines = []
    for line in text.split("\n"):
        key, sign, value = line.partition("=")
        is_masked = value.rstrip("\r") == MASK and is_secret(key.strip()) and key.strip() in secrets
        lines.append(f"{key}{sign}{secrets[key.strip()]}" if is_masked else line)
    return "\n".join(lines)


def masked_definition(value: Any) -> Any:
    """A production's definition, as `iop` writes it, without the secrets of its settings."""
    if isinstance(value, list):
        return [masked_definition(part) for part in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("@Name"), str) and isinstance(value.get("#text"), str):
        return {**value, "#text": masked_setting(value["@Name"], value["#text"])}
    return {name: masked_definition(part) for name, part in value.items()}


def _masked_value(value: object, secret: bool = False) -> object:
    """The value with the texts of its secrets replaced; numbers stay: a model's `token` is one."""
    if isinstance(value, str):
        return MASK if secret and value else value
    if isinstance(value, dict):
        return {name: _masked_value(inner, secret or is_secret(name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked_value(inner, secret) for inner in value]
    return value


def is_secret(name: str) -> bool:
    """Whether a field or setting of this name holds a secret."""
    return bool(_NAMES.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()))
