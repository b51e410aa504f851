"""Readers of a portal's page: each signs in, gets the page and follows it live, as browsers do, and draws nothing."""

import ast
import asyncio
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import socketio

_SOCKET = "/_nicegui_ws/socket.io"


@dataclass
class Followed:
    """What all readers got, when they have ended."""

    updates: int = 0


@contextmanager
def reading(url: str, password: str, path: str, count: int) -> Iterator[Followed]:
    """So many readers of a page, in a process of their own, while the block runs."""
    command = [sys.executable, str(Path(__file__)), url, password, path, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if process.stdout is None or process.stdout.readline() != "reading\n":
        raise RuntimeError("The readers did not get their pages: their words are above.")
    followed = Followed()
    try:
        yield followed
    finally:
        followed.updates = _ended(process)
    if followed.updates < count:
        raise RuntimeError(f"{count} readers got {followed.updates} updates: they did not follow the page.")


def _ended(process: "subprocess.Popen[str]") -> int:
    """How many updates all readers got."""
    out, _ = process.communicate("", timeout=60)
    return int(out.split()[-1])


class _Reader:
    """One of them."""

    def __init__(self) -> None:
        self.updates = 0
        self._live = socketio.AsyncClient(reconnection=False)
        self._live.on("*", self._count)

    async def open(self, url: str, cookies: aiohttp.CookieJar, path: str) -> None:
        """Get the page, and connect to it as its own script does."""
        async with aiohttp.ClientSession(cookie_jar=cookies) as session:
            async with session.get(url + path) as answer:
                page = await answer.text()
            cookie = "; ".join(f"{each.key}={each.value}" for each in cookies)
        found = re.search(r"query: (\{.*?\}),\n", page)
        if found is None:
            raise RuntimeError(f"{path} is no page that lives: {page[:200]}")
        query = ast.literal_eval(found[1]) | {"implicit_handshake": "true"}
        query |= {name: str(uuid.uuid4()) for name in ("tab_id", "document_id")}
        await self._live.connect(
            f"{url}?{urlencode(query)}", headers={"Cookie": cookie}, socketio_path=_SOCKET, transports=["websocket"]
        )

    async def close(self) -> None:
        await self._live.disconnect()

    def _count(self, _event: str, *_message: object) -> None:
        self.updates += 1


async def _read(url: str, password: str, path: str, count: int) -> None:
    cookies = aiohttp.CookieJar(unsafe=True)  # of an address that is a number
    async with aiohttp.ClientSession(cookie_jar=cookies) as session:
        form = {"username": "SuperUser", "password": password, "next": "/"}
        async with session.post(f"{url}/signin", data=form, allow_redirects=False) as answer:
            answer.raise_for_status()
    readers = [_Reader() for _ in range(count)]
    await asyncio.gather(*(reader.open(url, cookies, path) for reader in readers))
    await asyncio.sleep(1)  # what comes at once is the page, not what happens on it
    for reader in readers:
        reader.updates = 0
    print("reading", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.gather(*(reader.close() for reader in readers))
    print(sum(reader.updates for reader in readers), flush=True)


if __name__ == "__main__":
    asyncio.run(_read(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
