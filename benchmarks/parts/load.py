"""A client of HTTP servers: so many connections that each send the next text as soon as they have an answer."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CALLERS = 32
"""How many ask at the same time where many do."""

TIMEOUT_S = 120


@dataclass(frozen=True)
class Door:
    """Where a server is asked, how a text becomes the JSON of a request, and how the answer's becomes a label."""

    port: int
    path: str
    ask: Callable[[str], Any]
    label: Callable[[Any], str]
    headers: Mapping[str, str]

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def send(self, connection: http.client.HTTPConnection, text: str) -> str:
        """The label of a text. Raises `RuntimeError` for an answer that is an error."""
        body = json.dumps(self.ask(text)).encode()
        connection.request("POST", self.path, body, {"Content-Type": "application/json", **self.headers})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"The server answered {answer.status}: {data[:500].decode(errors='replace')}")
        return self.label(json.loads(data))


@dataclass(frozen=True)
class Answers:
    """The labels of the texts in their order, and how long they took."""

    labels: list[str]
    wall_s: float
    times_ms: list[float]

    def figures(self) -> dict[str, float]:
        """Requests a second, and the median and the 99th percentile of the time of one."""
        return {"per_s": len(self.labels) / self.wall_s, **percentiles(self.times_ms)}


def percentiles(times_ms: Sequence[float]) -> dict[str, float]:
    """The median and the 99th percentile."""
    return {"p50_ms": statistics.median(times_ms), "p99_ms": statistics.quantiles(times_ms, n=100)[98]}


def ask_all(texts: Sequence[str], callers: int, open_caller: Callable[[], Callable[[str], str]]) -> Answers:
    """Let `callers` threads ask for all texts, each with a caller of its own; the first error of one is raised."""
    numbers, guard = iter(range(len(texts))), threading.Lock()
    labels, times_ms = [""] * len(texts), [0.0] * len(texts)
    errors: list[BaseException] = []
    ready = threading.Barrier(callers + 1)

    def work() -> None:
        try:
            call = open_caller()
            ready.wait()
            while not errors:
                with guard:
                    number = next(numbers, None)
                if number is None:
                    return
                began_s = time.perf_counter()
                labels[number] = call(texts[number])
                times_ms[number] = (time.perf_counter() - began_s) * 1000
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)
            ready.abort()

    threads = [threading.Thread(target=work) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        ready.wait()
    except threading.BrokenBarrierError:
        pass  # the error of a caller is raised below
    began_s = time.perf_counter()
    for thread in threads:
        thread.join()
    wall_s = time.perf_counter() - began_s
    if errors:
        raise next((error for error in errors if not isinstance(error, threading.BrokenBarrierError)), errors[0])
    return Answers(labels, wall_s, times_ms)


def over_http(door: Door, texts: Sequence[str], callers: int) -> Answers:
    """The same for a server."""

    def open_caller() -> Callable[[str], str]:
        connection = door.connect()
        return lambda text: door.send(connection, text)

    return ask_all(texts, callers, open_caller)


def warm_up(door: Door, texts: Sequence[str], callers: int, seconds: float) -> None:
    """Load a server for so long, unmeasured: caches fill, kernels are made for the shapes that come."""
    end_s, start = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        some = [texts[(start + number) % len(texts)] for number in range(2 * callers)]
        over_http(door, some, callers)
        start += len(some)
