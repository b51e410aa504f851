"""What the portal costs: paint, filters, idle pages, and what twenty readers take from the engine.

    python benchmarks/portal.py [--quick] [--stored 1000000]

Goals, with a million stored messages and 200 items: the first paint of a room comes within 1 s, of
the first room in a browser that was never here too; a filter's rows within 300 ms, from the answer of
the JSON twin to the rows drawn in the open page; a page that is open and shows nothing new takes less
than 5 % of one core of the server; 20 open pages slow the engine by no more than 10 %. The server has
a process of its own, whose processor time is what is counted. The twenty speak the pages' own protocol
without drawing: on readers' machines, not on the engine's, is where browsers draw. The last line is JSON.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import requests
from parts import machine, paths, readers
from playwright.sync_api import Browser, Page, sync_playwright

PASSWORD = "benchmark"  # noqa: S105 - of a server that lives as long as the benchmark
GOALS = {"paint_ms": 1_000, "filter_ms": 300, "idle_share": 0.05, "slower": 0.10}
READERS = 20
MANY_PRODUCTION = paths.BENCHMARKS / "parts" / "many_production.py"
SENDERS = 4
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
# Each room, and what is there as soon as its content is.
ROOMS = {
    "production": ("/production", ".item"),
    "test": ("/test", "main .act.primary"),
    "messages": ("/messages", ".records tbody tr"),
    "trace": ("/trace", ".records tbody tr"),
    "log": ("/log", ".records"),
    "sql": ("/sql", ".sql-table"),
    "system": ("/system", ".records tbody tr"),
}
NOBODY = 'item="Nobody"'
FILTERS = {
    "newest": "",
    "status": "status=Error",
    "item": 'item="Operation 007"',
    "status and item": 'status=Error and item="Operation 007"',
    "time and status": "created>=2000-01-01 and created<2100-01-01 and status=Error",
    "text in the body": 'body~"a needle in the hay"',
    "rare status": "status=Suspended",
    "nothing fits": NOBODY,
}
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
# Types a search in the open page, and waits until the rows, or the word that there are none, stand there instead.
TYPED = """text => new Promise(resolve => {
  const box = document.querySelector(".search-bar input[type=search]"), began = performance.now();
  new MutationObserver((_, watch) => {
    watch.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - began));
  }).observe(document.querySelector(".records"), {childList: true});
  box.value = text;
  box.dispatchEvent(new Event("input"));
  box.form.requestSubmit();
})"""


class Server:
    """A runtime over a filled data folder with its portal, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, __file__, "--serve", str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The server has no pipes.")
        self._process, self._in, self._out = process, process.stdin, process.stdout
        ready = self._answer()
        self.url, self.items = ready["url"], ready["items"]
        self._usage = psutil.Process(self._process.pid)

    def rate(self, seconds: float) -> dict[str, float]:
        """Messages a second that the engine handles, and its processor time for one, in µs, while it is kept busy."""
        return self._ask({"rate": seconds})

    def share(self, seconds: float) -> float:
        """The share of one core that the process takes."""
        before = self._cpu_s()
        time.sleep(seconds)
        return (self._cpu_s() - before) / seconds

    def close(self) -> None:
        """End it."""
        self._in.close()
        self._process.wait(60)

    def _cpu_s(self) -> float:
        times = self._usage.cpu_times()
        return float(times.user + times.system)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        self._in.write(json.dumps(question) + "\n")
        self._in.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        for line in self._out:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError("The server ended: its words are above.")


def fill(folder: Path, messages: int) -> None:
    """Make a data folder as after years."""
    from parts import bigstore

    from irislite.database import Database

    database = Database(folder, "NORMAL")
    bigstore.fill(database, messages)
    database.close()


def stored(folder: Path) -> int:
    """How many messages are there: a folder that was kept may have more than a new one would get."""
    with closing(sqlite3.connect(folder / "messages.db")) as connection:
        count: int = connection.execute("SELECT count(*) FROM message_header").fetchone()[0]
    return count


def serve(folder: Path) -> None:
    """The server's process: serves, and answers questions that come line by line."""
    from irislite.director import Director
    from irislite.web.accounts import Accounts
    from irislite.web.app import create_app
    from runtime.web.serving import serving

    director = Director(folder, synchronous="NORMAL")
    director.load(MANY_PRODUCTION)
    director.start()
    with serving(create_app(director, Accounts.open(folder, "SuperUser", PASSWORD))) as url:
        print(json.dumps({"url": url, "items": len(director.items())}), flush=True)
        for line in sys.stdin:
            print(json.dumps(_rate(director, json.loads(line)["rate"])), flush=True)
    director.close()


def _rate(director: Any, seconds: float) -> dict[str, float]:
    """Keep the engine busy with requests that are answered at once."""
    import many_production

    counts, ends = [0] * SENDERS, time.perf_counter() + seconds

    def send(place: int) -> None:
        door = director.create_service(f"Service {place:03d}")
        while time.perf_counter() < ends:
            door.ForceSessionId()
            door.component.send_request_sync(f"Operation {place:03d}", many_production.Order("tea"), timeout=60)
            counts[place] += 1

    began, cpu_s = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=send, args=(place,)) for place in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu_s, took_s = time.process_time() - cpu_s, time.perf_counter() - began
    return {"per_s": sum(counts) / took_s, "cpu_us": cpu_s / sum(counts) * 1e6}


# -- what is measured ------------------------------------------------------------------------------


@contextmanager
def signed_in(browser: Browser, url: str) -> Iterator[Page]:
    """A page of somebody who is signed in, and whose browser has seen nothing else of the portal."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800})
    form = {"username": "SuperUser", "password": PASSWORD, "next": "/"}
    answer = context.request.post("/signin", form=form, max_redirects=0)
    if answer.status != 303:
        raise RuntimeError(f"The sign-in failed: {answer.status} {answer.text()[:200]}")
    yield context.new_page()
    context.close()


def first_time(browser: Browser, url: str, repeats: int) -> dict[str, float]:
    """What somebody waits who comes for the first time, in ms: nothing is in the browser's cache."""
    paints, contents = [], []
    for _ in range(repeats):
        with signed_in(browser, url) as page:
            content, paint = _opened(page, *ROOMS["production"])
            contents.append(content)
            paints.append(paint)
    return {"paint": _median(paints), "content": _median(contents), "worst": max(contents)}


def painted(page: Page, repeats: int) -> dict[str, dict[str, float]]:
    """For each room the time to the first paint and to its content, in ms; the scripts are in the browser's cache."""
    found = {}
    for name, (path, content) in ROOMS.items():
        contents, paints = zip(*[_opened(page, path, content) for _ in range(repeats + 1)][1:], strict=True)
        found[name] = {"paint": _median(paints), "content": _median(contents), "worst": max(contents)}
    return found


def _opened(page: Page, path: str, content: str) -> tuple[float, float]:
    """The time to a room's content, and to the first paint."""
    began = time.perf_counter()
    page.goto(path, wait_until="commit")
    _wait_for(page, content)
    took_ms = (time.perf_counter() - began) * 1000
    page.wait_for_function(f"({PAINT}) !== null")
    return took_ms, float(page.evaluate(PAINT))


def filtered(page: Page, url: str, repeats: int) -> dict[str, dict[str, float]]:
    """For each filter of the message list the times until the answer of its JSON twin, until its rows are drawn in the
    open page, and until they are in a page that is opened with it."""
    found = {}
    with requests.Session() as session:
        session.auth = ("SuperUser", PASSWORD)
        for name, query in FILTERS.items():
            path = f"/messages?{urlencode({'q': query})}"
            twin = _times_ms(repeats, lambda query=query: _searched(session, url, query))
            opened = _times_ms(repeats, lambda path=path: _drawn(page, path))
            typed = [_typed(page, query) for _ in range(repeats)]
            found[name] = {"twin": _median(twin), "typed": _median(typed), "opened": _median(opened)}
    return found


def _searched(session: requests.Session, url: str, query: str) -> None:
    session.get(f"{url}/api/irislite/search/messages", params={"q": query, "limit": 50}, timeout=60).raise_for_status()


def _typed(page: Page, query: str) -> float:
    """From where the other one of rows and none is shown."""
    _drawn(page, "/messages" if query == NOBODY else f"/messages?{urlencode({'q': NOBODY})}")
    page.wait_for_function("window.socket?.connected")
    return float(page.evaluate(TYPED, query))


def _drawn(page: Page, path: str) -> None:
    page.goto(path, wait_until="commit")
    _wait_for(page, ".records tbody tr, .records .empty")


def _wait_for(page: Page, content: str) -> None:
    """Look in every frame: `wait_for_selector` looks again after half a second only."""
    page.wait_for_function("content => document.querySelector(content)", arg=content)


def _times_ms(repeats: int, call: Callable[[], None]) -> list[float]:
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return times[1:]


def idle(server: Server, browser: Browser, seconds: float) -> dict[str, float]:
    """The share of one core that the server takes without a page, and with each room open, while nothing happens."""
    time.sleep(1)
    shares = {"no page": round(server.share(seconds), 4)}
    with signed_in(browser, server.url) as page:
        for name, (path, content) in ROOMS.items():
            page.goto(path)
            page.wait_for_selector(content, state="attached")
            time.sleep(1)
            shares[name] = round(server.share(seconds), 4)
    return shares


def slowed(server: Server, seconds: float, rounds: int) -> dict[str, Any]:
    """The engine's rate without and with twenty readers of the production, in turns."""
    alone, read, updates = [], [], []
    server.rate(seconds / 2)  # the warm-up
    for _ in range(rounds):
        alone.append(server.rate(seconds))
        with readers.reading(server.url, PASSWORD, "/production", READERS) as followed:
            read.append(server.rate(seconds))
        updates.append(followed.updates / READERS / seconds)
    without, with_them = (_median([one["per_s"] for one in found]) for found in (alone, read))
    return {
        "readers": READERS,
        "updates_per_s": _median(updates),
        "alone_per_s": without,
        "read_per_s": with_them,
        "slower": round(1 - with_them / without, 4),
        "alone_cpu_us": _median([one["cpu_us"] for one in alone]),
        "read_cpu_us": _median([one["cpu_us"] for one in read]),
    }


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)


# -- all of it ----------------------------------------------------------------------------------------


def judged(result: dict[str, Any]) -> dict[str, bool]:
    """For each goal whether it is met."""
    return {
        "first paint": all(one["paint"] < GOALS["paint_ms"] for one in result["painted_ms"].values()),
        "first time": result["first_time_ms"]["paint"] < GOALS["paint_ms"],
        "content": all(one["content"] < GOALS["paint_ms"] for one in result["painted_ms"].values()),
        "filter": all(max(one["twin"], one["typed"]) < GOALS["filter_ms"] for one in result["filter_ms"].values()),
        "idle": all(share < GOALS["idle_share"] for share in result["idle_share"].values()),
        "readers": result["slowed"]["slower"] <= GOALS["slower"],
    }


def rows(result: dict[str, Any]) -> Iterator[str]:
    """The table for people."""
    yield f"{result['stored']:,} stored messages, {result['items']} items"
    yield f"{'room':14} {'first paint ms':>15} {'content ms':>12} {'worst ms':>10} {'idle: share of a core':>23}"
    for name, one in result["painted_ms"].items():
        share = result["idle_share"][name]
        yield f"{name:14} {one['paint']:15.0f} {one['content']:12.0f} {one['worst']:10.0f} {share:23.2%}"
    yield f"{'no page':14} {'':15} {'':12} {'':10} {result['idle_share']['no page']:23.2%}"
    one = result["first_time_ms"]
    yield f"{'first time':14} {one['paint']:15.0f} {one['content']:12.0f} {one['worst']:10.0f}"
    yield f"{'filter':20} {'twin ms':>10} {'in the open page ms':>20} {'page opened with it ms':>24}"
    for name, took in result["filter_ms"].items():
        yield f"{name:20} {took['twin']:10.1f} {took['typed']:20.0f} {took['opened']:24.0f}"
    one = result["slowed"]
    yield (
        f"{one['alone_per_s']:,.0f} messages/s alone ({one['alone_cpu_us']:.0f} µs of a core each), "
        f"{one['read_per_s']:,.0f} with {one['readers']} readers ({one['read_cpu_us']:.0f} µs), "
        f"who each got {one['updates_per_s']:.1f} updates/s: "
        f"{one['slower']:.1%} slower"
    )
    yield f"goals met: {', '.join(f'{name} {met}' for name, met in result['met'].items())}"


def measured(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Everything, over a data folder that is filled."""
    server = Server(folder)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            with signed_in(browser, server.url) as page:
                steps: dict[str, Callable[[], Any]] = {
                    "first_time_ms": lambda: first_time(browser, server.url, options.repeats),
                    "painted_ms": lambda: painted(page, options.repeats),
                    "filter_ms": lambda: filtered(page, server.url, options.repeats),
                }  # fmt: skip
                result: dict[str, Any] = {name: _told(name, step) for name, step in steps.items()}
            result["idle_share"] = _told("idle", lambda: idle(server, browser, options.seconds))
            browser.close()
        result["slowed"] = _told("slowed", lambda: slowed(server, options.seconds, options.rounds))
        result["items"] = server.items
    finally:
        server.close()
    return result


def _told(name: str, step: Callable[[], Any]) -> Any:
    print(name, file=sys.stderr, flush=True)
    return step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=5, help="of the engine without and with readers")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each window")
    parser.add_argument("--quick", action="store_true", help="a hundredth of everything: does it work?")
    parser.add_argument("--folder", type=Path, help="a data folder that is kept, and filled if it is empty")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    if options.quick:
        options.stored, options.repeats, options.rounds, options.seconds = 10_000, 2, 1, 2.0
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made) / "home"
        if not (folder / "messages.db").exists():
            _told("filling", lambda: fill(folder, options.stored))
        result: dict[str, Any] = {
            "benchmark": "portal", **machine.facts("nicegui"), "stored": stored(folder),
            **measured(folder, options),
        }  # fmt: skip
    result["met"] = judged(result)
    print("\n".join(rows(result)))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
