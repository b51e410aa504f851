"""A hosted model by its address: one POST of JSON with a bearer key."""

import threading
from typing import Any

import httpx2

from inference.answer import Answer, Log
from inference.errors import EndpointError, EndpointUnreachable
from inference.hosted import answers, stream
from inference.hosted.gate import Call, passing
from inference.hosted.hosting import Hosting
from inference.hosted.rules import OLD_HOST, ROUTER

_lock = threading.Lock()
_client: httpx2.Client | None = None


def address(text: str, hosting: Hosting, log: Log) -> httpx2.URL:
    """The address that is called for `text`: the closed host's way leads to the router. Raises `EndpointError`."""
    try:
        url = httpx2.URL(text.strip())
    except httpx2.InvalidURL as error:
        raise EndpointError(f"api_url {text!r} is no web address ({error}). Give it as https://host/path.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise EndpointError(
            f"api_url {text!r} is no web address. Give it as {ROUTER}/hf-inference/models/<owner>/<name>."
        )
    if url.userinfo:
        raise EndpointError("api_url holds a user or a password. Leave them out, and give the key in api_key.")
    if url.host == OLD_HOST:
        if not hosting.rewrite:
            raise EndpointError(
                f"{OLD_HOST} is closed, and the setting rewrite_old_host is false. Give "
                f"{ROUTER}/hf-inference{url.path} as api_url, or set rewrite_old_host to true."
            )
        path = url.raw_path.decode("ascii")
        log(f"{OLD_HOST} is closed; calling {hosting.router}/hf-inference{url.path} instead.")
        return httpx2.URL(f"{hosting.router}/hf-inference{path}")
    return url


def post(url: httpx2.URL, payload: Any, call: Call, log: Log) -> Answer:
    """Send the payload, a text as `{"inputs": text}`. Raises `Refusal`, and what httpx2 raises."""
    body = {"inputs": payload} if isinstance(payload, str) else payload
    headers = {"Accept": "*/*", **({"Authorization": f"Bearer {call.key}"} if call.key else {})}
    client = _shared()
    with passing(call, client), client.stream("POST", url, json=body, headers=headers) as response:
        if call.answer_type.startswith("text/event-stream"):
            whole = stream.gather(stream.events(response.iter_lines()), log)
            check_complete(whole, call)
            return Answer(whole.output())
        return answers.of_bytes(call.answer_type, response.read())


def check_complete(whole: stream.Whole, call: Call) -> None:
    """Raises `EndpointUnreachable` for a stream that just stopped."""
    if not (whole.is_complete or call.is_done):
        raise EndpointUnreachable(
            f"The stream broke off after {whole.letters} letters, without an end. Send the request again."
        )


def _shared() -> httpx2.Client:
    """One client for all calls by address, so that connections are used again."""
    global _client
    with _lock:
        if _client is None:
            _client = httpx2.Client(timeout=None, follow_redirects=False)
        return _client
