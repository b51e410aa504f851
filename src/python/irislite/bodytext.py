"""A message's body as a person types it: a JSON object, checked before it is stored."""

import json

from irislite.errors import BadRequest


def stored(text: str, what: str, advice: str) -> str:
    """The typed object as it is stored. Any other text is a `BadRequest`, with `what` and `advice` in its words."""
    try:
        fields = json.loads(text)
        content = json.dumps(fields, ensure_ascii=False, allow_nan=False)
        content.encode()  # a lone surrogate cannot be stored
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{what} is no valid JSON: {error}. {advice}") from error
    if not isinstance(fields, dict):
        raise BadRequest(f"{what} is a JSON {type(fields).__name__}: it must be an object. {advice}")
    return content
