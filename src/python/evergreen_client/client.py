"""The two clients: `Evergreen` blocks, `AsyncEvergreen` is awaited; they do the same.

What was refused before anything was done (too many requests, an item that takes none now, no connection) is tried
again a few times. Nothing else is: whoever sent a message twice would have it handled twice.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from evergreen_client import calls
from evergreen_client.answers import Answer, Event, EventReader, Item, Model, Session
from evergreen_client.calls import Call
from evergreen_client.errors import EvergreenError, ItemFailed, TimedOut, Unreachable, error_of

T = TypeVar("T")

_REFUSED = (429, 503)
_LONGEST_WAIT_S = 30.0
_MARGIN_S = 10.0  # beyond the server's own time limit, for the way
_SILENCE_S = 60.0  # the server gives a sign of life every 15 s in a stream


class _Client:
    """What both have: where the server is, the key, how often to try again."""

    def __init__(self, url: str | None = None, key: str | None = None, *, retries: int = 4) -> None:
        """`url` and `key` are those of `EVERGREEN_URL` and `EVERGREEN_API_KEY` if they are not given."""
        self._url = (url or os.environ.get("EVERGREEN_URL") or "http://localhost:52795").rstrip("/")
        self._key = key or os.environ.get("EVERGREEN_API_KEY") or ""
        self._retries = retries

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    @property
    def _options(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"base_url": self._url, "headers": headers, "timeout": httpx.Timeout(60.0, connect=10.0)}

    def _wait_s(self, tried: int, response: httpx.Response | None) -> float | None:
        """How long to wait before the next try; None if there is none."""
        if tried >= self._retries or (response is not None and response.status_code not in _REFUSED):
            return None
        told = response.headers.get("Retry-After", "") if response is not None else ""
        # Whoever was refused together should not come back together.
        grown = 0.25 * 2.0**tried * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        return min(_LONGEST_WAIT_S, max(float(told) if told.isdigit() else 0.0, grown))


def _asked(call: Call[Any], is_stream: bool = False) -> dict[str, Any]:
    """The arguments of a request of httpx."""
    limit_s = _SILENCE_S if is_stream else call.timeout_s + _MARGIN_S
    asked: dict[str, Any] = {
        "method": call.method,
        "url": call.path,
        "params": {
            name: str(value).lower() if isinstance(value, bool) else value for name, value in call.params.items()
        },
        "headers": dict(call.headers),
        "timeout": httpx.Timeout(limit_s, connect=10.0),
    }
    if call.json is not None:
        asked["json"] = call.json
    return asked


def _result(call: Call[T], response: httpx.Response) -> T:
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.is_success and body is not None:
        return call.read(body)
    raise error_of(response.status_code, body, f"The server answered with {response.status_code}: see its log.")


def _broken(error: httpx.HTTPError, url: str) -> EvergreenError:
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return TimedOut(
            f"{url} did not answer in time. The request may go on: look for it in the production's messages."
        )
    return Unreachable(f"{url} cannot be reached ({error or type(error).__name__}). Is the server running there?")


def _event(found: tuple[str, str, str]) -> Event:
    name, data, event_id = found
    return Event(name, json.loads(data), event_id)


def _text_of(event: Event) -> str | Answer | None:
    """A piece of text, or the answer at the end; None for what says neither. Raises what the server tells."""
    if event.name == "error":
        raise ItemFailed(str(event.data["error"]), session_id=event.data.get("session_id"))
    if event.name == "text":
        return str(event.data["text"])
    return Answer.read(event.data) if event.name == "answer" else None


class Evergreen(_Client):
    """A client that blocks. Any number of threads may use one."""

    def __init__(self, url: str | None = None, key: str | None = None, *, retries: int = 4) -> None:
        super().__init__(url, key, retries=retries)
        self._http = httpx.Client(**self._options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def status(self) -> dict[str, str]:
        """The production and its status."""
        return self._do(calls.status())

    def items(self) -> list[Item]:
        """The items of the production."""
        return self._do(calls.items())

    def models(self) -> list[Model]:
        """The local models."""
        return self._do(calls.models())

    def send(self, item: str, classname: str, body: Mapping[str, Any], *, timeout_s: float = 60.0) -> Answer:
        """Send a message, as in send("Python.MLOperation", "msg.MLRequest", {"inputs": "..."}), and wait."""
        return self._do(calls.send(item, classname, body, timeout_s))

    def post(self, item: str, classname: str, body: Mapping[str, Any]) -> int:
        """Send a message and do not wait. Returns its session."""
        return self._do(calls.post(item, classname, body))

    def predict(self, model: str, *, timeout_s: float = 60.0, **fields: Any) -> Answer:
        """Ask a local model: predict("all-MiniLM-L6-v2", inputs="...")."""
        return self._do(calls.predict(model, fields, timeout_s))

    def generate(self, model: str, *, timeout_s: float = 300.0, **fields: Any) -> Iterator[str]:
        """The pieces of a text while a model writes it. Leaving the iterator ends the writing."""
        for event in self._events(calls.generate(model, fields, timeout_s)):
            if isinstance(piece := _text_of(event), str):
                yield piece

    def train(self, model: str, **fields: Any) -> int:
        """Begin a training. Returns its session: `follow` it."""
        return self._do(calls.train(model, fields))

    def cancel(self, model: str, *, keep_best: bool = False) -> Answer:
        """Stop the training of a model."""
        return self._do(calls.cancel(model, keep_best))

    def promote(self, model: str, **conditions: Any) -> Answer:
        """Let the model of the last training answer."""
        return self._do(calls.promote(model, conditions))

    def roll_back(self, model: str) -> Answer:
        """Let the model before the last promotion answer again."""
        return self._do(calls.roll_back(model))

    def history(self, model: str, *, limit: int = 20) -> Answer:
        """The last promotions and rollbacks."""
        return self._do(calls.history(model, limit))

    def search(
        self, query: str = "", *, limit: int = 10, item: str = "", timeout_s: float = 60.0, **fields: Any
    ) -> Answer:
        """Find by meaning: search("a lonely lighthouse", filter={"year": {"from": 2015}})."""
        return self._do(calls.search({"query": query, "limit": limit, **fields}, item, timeout_s))

    def session(self, session_id: int, *, bodies: bool = False) -> Session:
        """The trace of a session."""
        return self._do(calls.session(session_id, bodies))

    def follow(self, session_id: int, *, after_id: str = "") -> Iterator[Event]:
        """What becomes of a session, as it happens, until it has ended; `after_id` goes on after an event."""
        return self._events(calls.follow(session_id, after_id))

    def _do(self, call: Call[T]) -> T:
        for tried in range(self._retries + 1):
            response = None
            try:
                response = self._http.request(**_asked(call))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if (wait_s := self._wait_s(tried, None)) is None:
                    raise _broken(error, self._url) from error
            except httpx.HTTPError as error:
                raise _broken(error, self._url) from error
            else:
                if (wait_s := self._wait_s(tried, response)) is None:
                    return _result(call, response)
            time.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _events(self, call: Call[Any]) -> Iterator[Event]:
        reader = EventReader()
        try:
            with self._opened(call) as response:
                for line in response.iter_lines():
                    if (found := reader.feed(line)) is not None:
                        yield _event(found)
        except httpx.HTTPError as error:
            raise _broken(error, self._url) from error

    @contextmanager
    def _opened(self, call: Call[Any]) -> Iterator[httpx.Response]:
        for tried in range(self._retries + 1):
            with self._http.stream(**_asked(call, is_stream=True)) as response:
                if response.is_success:
                    yield response
                    return
                response.read()
                if (wait_s := self._wait_s(tried, response)) is None:
                    _result(call, response)
            time.sleep(wait_s or 0.0)


class AsyncEvergreen(_Client):
    """The same for asyncio."""

    def __init__(self, url: str | None = None, key: str | None = None, *, retries: int = 4) -> None:
        super().__init__(url, key, retries=retries)
        self._http = httpx.AsyncClient(**self._options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def status(self) -> dict[str, str]:
        """The production and its status."""
        return await self._do(calls.status())

    async def items(self) -> list[Item]:
        """The items of the production."""
        return await self._do(calls.items())

    async def models(self) -> list[Model]:
        """The local models."""
        return await self._do(calls.models())

    async def send(self, item: str, classname: str, body: Mapping[str, Any], *, timeout_s: float = 60.0) -> Answer:
        """Send a message, as in send("Python.MLOperation", "msg.MLRequest", {"inputs": "..."}), and wait."""
        return await self._do(calls.send(item, classname, body, timeout_s))

    async def post(self, item: str, classname: str, body: Mapping[str, Any]) -> int:
        """Send a message and do not wait. Returns its session."""
        return await self._do(calls.post(item, classname, body))

    async def predict(self, model: str, *, timeout_s: float = 60.0, **fields: Any) -> Answer:
        """Ask a local model: predict("all-MiniLM-L6-v2", inputs="...")."""
        return await self._do(calls.predict(model, fields, timeout_s))

    async def generate(self, model: str, *, timeout_s: float = 300.0, **fields: Any) -> AsyncIterator[str]:
        """The pieces of a text while a model writes it. Closing the iterator ends the writing."""
        async with aclosing(self._events(calls.generate(model, fields, timeout_s))) as events:
            async for event in events:
                if isinstance(piece := _text_of(event), str):
                    yield piece

    async def train(self, model: str, **fields: Any) -> int:
        """Begin a training. Returns its session: `follow` it."""
        return await self._do(calls.train(model, fields))

    async def cancel(self, model: str, *, keep_best: bool = False) -> Answer:
        """Stop the training of a model."""
        return await self._do(calls.cancel(model, keep_best))

    async def promote(self, model: str, **conditions: Any) -> Answer:
        """Let the model of the last training answer."""
        return await self._do(calls.promote(model, conditions))

    async def roll_back(self, model: str) -> Answer:
        """Let the model before the last promotion answer again."""
        return await self._do(calls.roll_back(model))

    async def history(self, model: str, *, limit: int = 20) -> Answer:
        """The last promotions and rollbacks."""
        return await self._do(calls.history(model, limit))

    async def search(
        self, query: str = "", *, limit: int = 10, item: str = "", timeout_s: float = 60.0, **fields: Any
    ) -> Answer:
        """Find by meaning: search("a lonely lighthouse", filter={"year": {"from": 2015}})."""
        return await self._do(calls.search({"query": query, "limit": limit, **fields}, item, timeout_s))

    async def session(self, session_id: int, *, bodies: bool = False) -> Session:
        """The trace of a session."""
        return await self._do(calls.session(session_id, bodies))

    async def follow(self, session_id: int, *, after_id: str = "") -> AsyncIterator[Event]:
        """What becomes of a session, as it happens, until it has ended; `after_id` goes on after an event."""
        async with aclosing(self._events(calls.follow(session_id, after_id))) as events:
            async for event in events:
                yield event

    async def _do(self, call: Call[T]) -> T:
        for tried in range(self._retries + 1):
            response = None
            try:
                response = await self._http.request(**_asked(call))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if (wait_s := self._wait_s(tried, None)) is None:
                    raise _broken(error, self._url) from error
            except httpx.HTTPError as error:
                raise _broken(error, self._url) from error
            else:
                if (wait_s := self._wait_s(tried, response)) is None:
                    return _result(call, response)
            await asyncio.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    async def _events(self, call: Call[Any]) -> AsyncGenerator[Event]:
        reader = EventReader()
        try:
            async with self._opened(call) as response:
                async for line in response.aiter_lines():
                    if (found := reader.feed(line)) is not None:
                        yield _event(found)
        except httpx.HTTPError as error:
            raise _broken(error, self._url) from error

    @asynccontextmanager
    async def _opened(self, call: Call[Any]) -> AsyncIterator[httpx.Response]:
        for tried in range(self._retries + 1):
            async with self._http.stream(**_asked(call, is_stream=True)) as response:
                if response.is_success:
                    yield response
                    return
                await response.aread()
                if (wait_s := self._wait_s(tried, response)) is None:
                    _result(call, response)
            await asyncio.sleep(wait_s or 0.0)
