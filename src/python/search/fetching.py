"""Covers over HTTP: as many as the server allows, those that are there or known to be missing never again."""

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests

from search import pictures
from search.errors import CoversRefused, CoverUnreadable
from search.place import Place

SERVER = "https://covers.openlibrary.org"
_MISSING = "missing.txt"
_BUSY = frozenset({403, 408, 425, 429, 500, 502, 503, 504})
_TIMEOUT_S = 30.0
_LONGEST_WAIT_S = 300.0
_FAILURES_IN_A_ROW = 20  # after so many refusals without one cover the server is taken to mean it


@dataclass(frozen=True)
class Manners:
    """How the server is asked. Open Library allows 100 by ISBN in five minutes, and names no limit by cover id."""

    server: str = SERVER
    connections: int = 4
    by_isbn: int = 100
    """Requests by ISBN in `window_s`."""
    by_id: int = 3_000
    """Requests by cover id in `window_s`."""
    window_s: float = 300.0
    tries: int = 5
    pause_s: float = 2.0
    """Before the second try; doubled before each after that."""


@dataclass(frozen=True)
class Wanted:
    """A cover to fetch: by its id where there is one, else by ISBN."""

    cover_id: int | None
    isbn: str | None

    @property
    def number(self) -> str:
        """What the file is called."""
        return str(self.cover_id) if self.cover_id is not None else str(self.isbn)

    @property
    def path(self) -> str:
        """Where the server has it; default=false asks for 404 instead of an empty picture."""
        kind = "id" if self.cover_id is not None else "isbn"
        return f"/b/{kind}/{self.number}-M.jpg?default=false"


class Rate:
    """At most `count` turns in any `window_s` seconds, in all threads together."""

    def __init__(self, count: int, window_s: float) -> None:
        self._turns: deque[float] = deque(maxlen=count)
        self._window_s = window_s
        self._not_before_s = 0.0
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event) -> None:
        """Return when it is this caller's turn, or when everything is to stop."""
        with self._lock:  # held while it waits: the others' turns come later anyway
            turn_s = self._not_before_s
            if len(self._turns) == self._turns.maxlen:
                turn_s = max(turn_s, self._turns[0] + self._window_s)
            if (wait_s := turn_s - time.monotonic()) > 0:
                stop.wait(wait_s)
            self._turns.append(time.monotonic())

    def pause(self, seconds: float) -> None:
        """Let nobody new have a turn for so long: the server has asked for it."""
        self._not_before_s = max(self._not_before_s, time.monotonic() + seconds)


class Fetcher:
    """Fetches covers into a folder on this machine, where a `Shelf` finds them."""

    def __init__(self, folder: Path, manners: Manners, log: Callable[[str], None]) -> None:
        self._folder, self._manners, self._log = Place(str(folder)), manners, log
        self._missing_file = folder / _MISSING
        self._rates = {
            True: Rate(manners.by_id, manners.window_s),
            False: Rate(manners.by_isbn, manners.window_s),
        }
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._refused_in_a_row = 0
        self._local = threading.local()

    def fetch(self, wanted: Iterable[Wanted], each: Callable[[], None]) -> Counter[str]:
        """Fetch what is neither here nor known to be missing, and count what came of it.

        `each` is called after every cover; what it raises ends the fetching. Raises `CoversRefused` when the server
        refuses everything.
        """
        counts = Counter[str]()
        here = {name.rsplit(".", 1)[0] for name in self._folder.names()}
        missing = set(self._missing_file.read_text().split()) if self._missing_file.exists() else set()
        left: queue.SimpleQueue[Wanted] = queue.SimpleQueue()
        for one in wanted:
            known = "already here" if one.number in here else "known to be missing" if one.number in missing else ""
            if known:
                counts[known] += 1
            else:
                left.put(one)
        done: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=self._work, args=(left, done), name=f"covers-{number}")
            for number in range(min(self._manners.connections, left.qsize()))
        ]
        for thread in threads:
            thread.start()
        try:
            for outcome in _until_all_end(done, len(threads)):
                counts[outcome] += 1
                each()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        return counts

    def _work(self, left: "queue.SimpleQueue[Wanted]", done: "queue.SimpleQueue[str | Exception | None]") -> None:
        try:
            while not self._stop.is_set():
                try:
                    one = left.get_nowait()
                except queue.Empty:
                    break
                done.put(self._one(one))
        except (CoversRefused, OSError) as error:
            done.put(error)
        finally:
            done.put(None)

    def _one(self, wanted: Wanted) -> str:
        """Fetch one cover; what came of it in a word."""
        pause_s = self._manners.pause_s
        reason = ""
        for _ in range(self._manners.tries):
            self._rates[wanted.cover_id is not None].wait(self._stop)
            if self._stop.is_set():
                return "not fetched"
            try:
                answer = self._get(wanted)
            except requests.RequestException as error:
                reason = str(error)
                self._stop.wait(pause_s)
            else:
                if not isinstance(answer, requests.Response):
                    return self._kept(wanted, answer)
                reason = f"{answer.status_code} {answer.reason}"
                self._rates[wanted.cover_id is not None].pause(_asked_s(answer) or pause_s)
            pause_s = min(pause_s * 2, _LONGEST_WAIT_S)
        self._count_refusal(reason)
        return "refused"

    def _get(self, wanted: Wanted) -> requests.Response | bytes | None:
        """A cover's bytes, None if the server has none, or the answer of a server that wants a pause."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.headers["User-Agent"] = "evergreen"
        url = self._manners.server.rstrip("/") + wanted.path
        with self._local.session.get(url, timeout=_TIMEOUT_S, stream=True) as response:
            if response.status_code in _BUSY:
                return response
            if response.status_code != 200:
                return None
            data = bytearray()
            for chunk in response.iter_content(1 << 16):
                data += chunk
                if len(data) > pictures.MOST_BYTES:
                    return None
            return bytes(data)

    def _kept(self, wanted: Wanted, data: bytes | None) -> str:
        """Write down what came; a page of HTML is asked for again by the next job, an empty picture is not."""
        with self._lock:
            self._refused_in_a_row = 0
        if data is not None:
            try:
                pictures.check(data)
            except CoverUnreadable as error:
                if "HTML" in str(error):
                    return "HTML instead of a picture"
            else:
                self._folder.write(f"{wanted.number}.jpg", data)
                return "fetched"
        with self._lock, self._missing_file.open("a") as file:
            file.write(f"{wanted.number}\n")
        return "missing"

    def _count_refusal(self, reason: str) -> None:
        with self._lock:
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= _FAILURES_IN_A_ROW:
                raise CoversRefused(
                    f"{self._manners.server} refuses every cover ({reason}). What was fetched is kept: start the job "
                    "again later, or take the bulk zips."
                )


def _until_all_end(done: "queue.SimpleQueue[str | Exception | None]", threads: int) -> Iterator[str]:
    while threads:
        outcome = done.get()
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is None:
            threads -= 1
        else:
            yield outcome


def _asked_s(answer: requests.Response) -> float | None:
    """How long the server asks to wait, in seconds; None if it does not say."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), _LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(0.0, (until - datetime.now(UTC)).total_seconds()), _LONGEST_WAIT_S)
