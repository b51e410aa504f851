"""Calls a hosted model: posts JSON with a bearer key, and says plainly what to do when that fails."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from inference import images
from inference.answer import Answer, Log, Picture
from inference.errors import EndpointError, EndpointUnreachable

LIMIT_BYTES = 50_000_000
_OLD_HOST = "api-inference.huggingface.co"
_NEW_ROOT = "https://router.huggingface.co/hf-inference"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TOKENS = "https://huggingface.co/settings/tokens"
_CURES = {
    400: "The payload does not suit the model. Compare it with the example on the model's page.",
    401: f"The key is missing or wrong. Put a token from {_TOKENS} into api_key.",
    402: "The account behind the key has no credit left. Add credit, or wait for the next month.",
    403: f"The key may not do this. Give its token the right to call inference providers ({_TOKENS}).",
    404: "No model is served at this address. Check api_url, or run the model here with MLOperation.",
    408: "The model took too long. Send less, or try again later.",
    410: "This address is closed. Use the one that the model's page shows today.",
    413: "The payload is too large. Send less.",
    422: "The payload does not suit the model. Compare it with the example on the model's page.",
    429: "Too many requests. Wait, or use a key with a higher limit.",
    503: "The model is not ready. Try again later.",
}


def post(
    api_url: str,
    payload: Any,
    api_key: str | None = None,
    *,
    timeout_s: float = 60.0,
    allow_http: bool = False,
    log: Log = lambda _: None,
) -> Answer:
    """Send `payload` to `api_url` and return the answer: JSON and text as output, a picture as an image.

    A text payload becomes `{"inputs": text}`. A key of dashes is a placeholder and is not sent. Other media come
    as `{"media_type", "base64"}`. Raises `EndpointError` (with the HTTP status) or `EndpointUnreachable`; no
    message holds the key.
    """
    import requests

    url = _address(api_url, allow_http, log)
    key = _key(api_key, log)
    hide = _scrubber(key)
    if payload is None:
        raise EndpointError("payload is missing. Give the text, or the JSON object, that the model is to read.")
    body = {"inputs": payload} if isinstance(payload, str) else payload
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        with requests.post(
            url, json=body, headers=headers, timeout=timeout_s, allow_redirects=False, stream=True
        ) as response:
            content = _content(response)
    except requests.exceptions.Timeout as error:
        raise EndpointUnreachable(
            f"{urlsplit(url).netloc} gave no answer within {timeout_s:g} s. Raise the time limit, or try again later."
        ) from error
    except requests.exceptions.SSLError as error:
        raise EndpointUnreachable(
            f"The certificate of {urlsplit(url).netloc} is not trusted ({hide(str(error))}). Check the address, or add "
            "its authority to this machine's certificates."
        ) from error
    except (requests.exceptions.RequestException, UnicodeError, ValueError) as error:
        raise EndpointUnreachable(
            f"{urlsplit(url).netloc} cannot be reached ({hide(str(error))}). Check api_url and this machine's network."
        ) from error
    if not 200 <= response.status_code < 300:
        raise EndpointError(_explain(response, content, bool(key), hide), response.status_code)
    return _answer(response.headers.get("Content-Type", ""), content)


def _address(api_url: str, allow_http: bool, log: Log) -> str:
    url = (api_url or "").strip()
    parts = urlsplit(url)
    if parts.hostname == _OLD_HOST:
        url = f"{_NEW_ROOT}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        log(f"{_OLD_HOST} is closed; calling {url} instead.")
        return url
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EndpointError(f"api_url {url!r} is no web address. Give it as {_NEW_ROOT}/models/<owner>/<name>.")
    if parts.scheme == "http" and not (allow_http or parts.hostname in _LOOPBACK):
        raise EndpointError(
            f"api_url {url!r} is not encrypted, and the key would be readable on its way. Use https, or allow http for "
            "this item."
        )
    return url


def _key(api_key: str | None, log: Log) -> str:
    key = (api_key or "").strip()
    if key and not key.strip("-"):
        log("api_key is a placeholder of dashes; calling without a key.")
        return ""
    if any(letter.isspace() or not letter.isascii() or not letter.isprintable() for letter in key):
        raise EndpointError(f"api_key holds letters that no key has. Copy the token anew from {_TOKENS}.")
    return key


def _scrubber(key: str) -> Callable[[str], str]:
    """A function that takes the key out of a text; servers and libraries sometimes repeat what they were sent."""
    return lambda text: text.replace(key, "<key>") if key else text


def _content(response: Any) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(65536):
        content += chunk
        if len(content) > LIMIT_BYTES:
            raise EndpointError(f"The answer is larger than {LIMIT_BYTES // 1_000_000} MB. Ask for less.")
    return bytes(content)


def _answer(content_type: str, content: bytes) -> Answer:
    media_type = content_type.split(";")[0].strip().lower()
    if media_type.startswith("image/"):
        image = images.decode(content, what="The picture in the answer")
        picture = Picture(media_type, content, image.width, image.height, "The model's picture")
        return Answer({"picture": 0}, (picture,))
    if media_type.startswith(("audio/", "video/")) or media_type == "application/octet-stream":
        return Answer({"media_type": media_type, "base64": base64.b64encode(content).decode("ascii")})
    text = content.decode("utf-8", errors="replace")
    try:
        return Answer(json.loads(text))
    except ValueError:
        return Answer(text)


def _explain(response: Any, content: bytes, keyed: bool, hide: Callable[[str], str]) -> str:
    status = response.status_code
    where = urlsplit(response.url).netloc
    if 300 <= status < 400:
        return f"{where} leads on to {hide(response.headers.get('Location', 'nowhere'))}. Use that address as api_url."
    said = hide(_said(content))
    cure = _CURES.get(status) or (
        "The server failed. Try again later." if status >= 500 else "Correct the request as the server says."
    )
    if status == 401 and not keyed:
        cure = f"No key was sent. Put a token from {_TOKENS} into api_key."
    wait = response.headers.get("Retry-After")
    return f"{where} answered {status} {response.reason}{f': {said}' if said else '.'} {cure}" + (
        f" The server asks to wait {wait} s." if wait and wait.isdigit() else ""
    )


def _said(content: bytes) -> str:
    """What an error answer says, in one short line."""
    text = content.decode("utf-8", errors="replace").strip()
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        text = parsed.get("error") or parsed.get("message") or parsed.get("detail") or text
        text = text if isinstance(text, str) else json.dumps(text)
    elif text.startswith("<"):
        text = ""  # a page for browsers
    line = " ".join(text.split())[:300]
    return line if not line or line.endswith((".", "!", "?")) else f"{line}."
