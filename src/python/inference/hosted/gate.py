"""The gate that every HTTP request of a call passes, ours and those of Hugging Face's client.

It holds the list of allowed hosts, the one place a key may go, the time limit and the size limit. It hangs on the
client's public event hooks and minds nothing but requests made inside `passing`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import httpx2
from huggingface_hub import constants

from inference.errors import EndpointError
from inference.hosted.refusal import Refusal
from inference.hosted.rules import ROUTER, Hosts

LIMIT_BYTES = 50_000_000
_ERROR_BYTES = 65_536
_TAIL_BYTES = 64


@dataclass
class Call:
    """One try of a call: what the gate goes by, and what it saw."""

    hosts: Hosts
    key: str
    deadline_s: float  # of time.monotonic()
    router: str = ROUTER
    hub: str = "https://huggingface.co"
    media_type: str = ""  # of a body that is a picture or a sound
    is_sent: bool = False  # whether the model was asked, and not only the hub about it
    is_done: bool = False  # whether a stream said that it ends
    answer_type: str = ""
    provider: str = ""

    def left_s(self) -> float:
        """The seconds that are left; raises TimeoutError when none are."""
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


_current: ContextVar[Call | None] = ContextVar("call", default=None)
_guard = threading.Lock()


@contextmanager
def passing(call: Call, client: httpx2.Client) -> Iterator[None]:
    """Within it, the requests of this thread and `client` are those of `call`."""
    for hooks, hook in ((client.event_hooks["request"], _on_request), (client.event_hooks["response"], _on_response)):
        with _guard:
            if hook not in hooks:
                hooks.append(hook)
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)


def _on_request(request: httpx2.Request) -> None:
    call = _current.get()
    if call is None:
        return
    _reroute(request, call)
    url = request.url
    place = url.scheme, url.raw_host.decode("ascii").strip("[]").lower(), url.port
    allowed = call.hosts.allow(*place)
    if request.method not in ("GET", "HEAD"):
        if not allowed:
            raise call.hosts.refusal(*place)
        if call.media_type:
            request.headers.setdefault("Content-Type", call.media_type)
        call.is_sent = True
    elif not (allowed or url.scheme == "https" or str(url).startswith(f"{call.hub}/")):
        # A result may lie on a provider's own web server: it is fetched without the key, but not from just anywhere.
        raise call.hosts.refusal(*place)
    if not (allowed and call.key and call.key in request.headers.get("Authorization", "")):
        for name in ("Authorization", "X-HF-Bill-To"):  # also a login of this machine that the client has found
            request.headers.pop(name, None)
    request.headers["Accept-Encoding"] = "identity"  # the size limit counts what comes
    request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), call.left_s())


def _reroute(request: httpx2.Request, call: Call) -> None:
    """Send what is meant for Hugging Face's router or hub to those of the item; they are the same unless it says so."""
    text = str(request.url)
    for usual, own in ((ROUTER, call.router), (constants.ENDPOINT, call.hub)):
        if usual != own and (text == usual or text.startswith(f"{usual}/")):
            request.url = httpx2.URL(own + text[len(usual) :])
            request.headers["Host"] = request.url.netloc.decode("ascii")
            return


def _on_response(response: httpx2.Response) -> None:
    call = _current.get()
    if call is None:
        return
    request = response.request
    response.stream = _Limited(response.stream, call)
    request.extensions["timeout"]["read"] = call.left_s()  # of the body, which is read by what the dictionary says then
    is_led_on = response.has_redirect_location and request.method not in ("GET", "HEAD")
    if response.status_code >= 400 or is_led_on:
        raise Refusal(
            response.status_code,
            response.reason_phrase,
            request.url.netloc.decode("ascii"),
            request.url.path,
            {name.lower(): value for name, value in response.headers.items()},
            _beginning(response),
        )
    call.provider = response.headers.get("X-Inference-Provider", call.provider)
    call.answer_type = response.headers.get("Content-Type", "")


def _beginning(response: httpx2.Response) -> bytes:
    """The first bytes of an error's body; less if the connection ends, because the status says enough."""
    content = bytearray()
    try:
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) >= _ERROR_BYTES:
                break
    except httpx2.HTTPError:
        pass
    return bytes(content[:_ERROR_BYTES])


class _Limited(httpx2.SyncByteStream):
    """An answer's bytes, as long as they are not too many and not too late."""

    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream, call: Call) -> None:
        assert isinstance(inner, httpx2.SyncByteStream)  # noqa: S101 - the client is a synchronous one
        self._inner, self._call = inner, call

    def __iter__(self) -> Iterator[bytes]:
        count, tail = 0, b""
        for chunk in self._inner:
            count += len(chunk)
            if count > LIMIT_BYTES:
                raise EndpointError(f"The answer is larger than {LIMIT_BYTES // 1_000_000} MB. Ask for less.")
            tail = (tail + chunk)[-_TAIL_BYTES:]
            self._call.is_done = self._call.is_done or b"[DONE]" in tail
            self._call.left_s()
            yield chunk

    def close(self) -> None:
        self._inner.close()
