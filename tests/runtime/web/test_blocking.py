"""Calls in threads of their own."""

import asyncio
import threading

import pytest
from starlette.exceptions import HTTPException

from coroutines import run
from irislite.web import blocking


def test_what_is_returned_or_raised_arrives() -> None:
    assert run(blocking.run(int, "12", base=8)) == 10
    with pytest.raises(ValueError, match="invalid literal"):
        run(blocking.run(int, "x"))


def test_more_calls_than_there_are_places_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "_places", threading.BoundedSemaphore(1))
    go_on = threading.Event()

    async def both() -> None:
        first = asyncio.create_task(blocking.run(go_on.wait, 5))
        await asyncio.sleep(0)
        with pytest.raises(HTTPException, match="wait") as refused:
            await blocking.run(int)
        assert refused.value.status_code == 503
        go_on.set()
        assert await first
        assert await blocking.run(int) == 0

    run(both())
