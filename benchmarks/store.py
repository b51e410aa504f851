"""What a full store costs: long queues, many stored messages, a restart, memory.

    python benchmarks/store.py [--quick] [--queue-lengths 1000 10000 100000 1000000] [--stored 1000000]

Goals: the cost of a message is flat with the length of its queue (largest over smallest below 1.3);
with a million stored messages a page of the message list and a Visual Trace come in under 100 ms;
with 100,000 queued messages the first one is handled within 5 s of the start; a queue of a million
does not live in memory. Each part runs in a process of its own. The last line is JSON.
"""

import argparse
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from parts import machine, paths
from parts.serving import served

from irislite.director import Director
from irislite.header import Body, BusinessType, Draft, MessageType, Status

BATCH = 5_000  # messages in one transaction of the filling
SENDERS = 16
ITEMS = 10
RARE_EVERY = 20_000  # one message in so many goes to the item Rare, and another one ends in error
LARGE_SESSION = 500
GOALS = {"flat": 1.3, "page_ms": 100.0, "restart_s": 5.0}


def ping(number: int) -> Body:
    """The small message that all of them carry."""
    return Body("IOP.Message", "noop_production.Ping", json.dumps({"number": number, "text": "a small message"}))


def fill_queue(director: Director, length: int) -> None:
    """Put messages into the queue of the item Held, as if a sender had sent them before a stop."""
    for first in range(0, length, BATCH):
        director.store.accept(
            [
                Draft(
                    target_config_name="Held", target_queue_name="Held", source_config_name="Door", body=ping(number),
                    source_business_type=BusinessType.SERVICE, target_business_type=BusinessType.OPERATION,
                )
                for number in range(first, min(length, first + BATCH))
            ]
        ).wait()  # fmt: skip


def fill_messages(director: Director, count: int) -> None:
    """Store `count` messages that were handled: requests of ten items, each with its answer."""
    for first in range(0, count // 2, BATCH):
        numbers = range(first, min(count // 2, first + BATCH))
        drafts = [
            Draft(
                target_config_name="Rare" if number % (RARE_EVERY // 2) == 7 else f"Item {number % ITEMS}",
                target_queue_name=f"Item {number % ITEMS}", source_config_name="Door", body=ping(number),
                source_business_type=BusinessType.SERVICE, target_business_type=BusinessType.OPERATION,
            )
            for number in numbers
        ]  # fmt: skip
        entries = director.store.accept(drafts).wait()
        writes = [
            director.store.complete(entry.header, *_ending(number), answer=_answer(entry.header, number))
            for number, entry in zip(numbers, entries, strict=True)
        ]
        for write in writes:
            write.wait()


def _ending(number: int) -> tuple[Status, str]:
    if number % (RARE_EVERY // 2) == 11:
        return Status.ERROR, "ValueError: as one message in many"
    return Status.COMPLETED, ""


def _answer(request: Any, number: int) -> Draft:
    return Draft(
        target_config_name="Door", target_queue_name="", source_config_name=request.target_config_name,
        body=Body("IOP.Message", "noop_production.Pong", f'{{"number": {number}}}'), session_id=request.session_id,
        type=MessageType.RESPONSE, source_business_type=BusinessType.OPERATION,
        target_business_type=BusinessType.SERVICE, corresponding_message_id=request.id, status=Status.COMPLETED,
    )  # fmt: skip


# -- the parts, each in a process of its own -----------------------------------------------------


def queue_cost(folder: Path, length: int, messages: int, repeats: int) -> dict[str, Any]:
    """What it costs to send to and to take from a queue of `length` messages."""
    _fill(folder, lambda director: fill_queue(director, length))
    director = Director(folder, synchronous="NORMAL")
    director.load(paths.NOOP_PRODUCTION)
    director.start()
    import noop_production

    queue, wall_us, cpu_us = director.router.queue("Held"), [], []
    for repeat in range(repeats + 1):  # the first one is the warm-up
        before, began, cpu = queue.count, time.perf_counter(), time.process_time()
        _send(director, messages)
        noop_production.gate.release(messages)
        while queue.count > before:
            time.sleep(0.0005)
        _settle(director)
        if repeat:
            wall_us.append((time.perf_counter() - began) / messages * 1e6)
            cpu_us.append((time.process_time() - cpu) / messages * 1e6)
    result = {
        "length": length, "wall_us": round(statistics.median(wall_us), 1),
        "cpu_us": round(statistics.median(cpu_us), 1), "left": queue.count,
        "rss_mb": round(psutil.Process().memory_info().rss / 2**20, 1),
    }  # fmt: skip
    _close(director)
    return result


def _send(director: Director, messages: int) -> None:
    import noop_production

    def send(count: int) -> None:
        handle = director.create_service("Door")
        for number in range(count):
            handle.ForceSessionId()
            handle.component.send_request_async("Held", noop_production.Ping(number=number, text="a small message"))

    threads = [threading.Thread(target=send, args=(messages // SENDERS,)) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _settle(director: Director) -> None:
    """Wait until what was written so far is on disk: writes are committed in order."""
    import noop_production

    director.create_service("Door").component.send_request_sync(
        "Noop", noop_production.Ping(number=0, text=""), timeout=60
    )


def _close(director: Director) -> None:
    """Open the gate first: whoever is held there would keep the stop waiting."""
    import noop_production

    noop_production.gate.release(10_000)
    director.close()


def restart(folder: Path, length: int) -> dict[str, Any]:
    """From opening the folder until the first of `length` queued messages is handled."""
    _fill(folder, lambda director: fill_queue(director, length))
    began = time.perf_counter()
    director = Director(folder)
    opened_s = time.perf_counter() - began
    director.load(paths.NOOP_PRODUCTION)
    director.start()
    import noop_production

    noop_production.gate.release()
    while not director.item("Held").processed:
        time.sleep(0.0005)
    first_s = time.perf_counter() - began
    _close(director)
    return {"queued": length, "opened_s": round(opened_s, 3), "first_s": round(first_s, 3)}


def stored(folder: Path, count: int, repeats: int) -> dict[str, Any]:
    """Pages of the message list and Visual Traces, from the store and over HTTP, in ms."""
    began = time.perf_counter()
    _fill(folder, lambda director: fill_messages(director, count))
    fill_s = time.perf_counter() - began
    director = Director(folder, synchronous="NORMAL")
    director.load(paths.NOOP_PRODUCTION)
    director.start()
    import noop_production

    door = director.create_service("Door")
    door.component.send_request_sync("Noop", noop_production.Ping(number=1, text=""), timeout=60)
    small = door.session_id
    for number in range(LARGE_SESSION // 2 - 1):
        if number == 0:
            door.ForceSessionId()
        door.component.send_request_sync("Noop", noop_production.Ping(number=number, text=""), timeout=60)
    large = door.session_id
    filters: dict[str, dict[str, Any]] = {
        "newest": {},
        "deep page": {"before_id": count // 2},
        "common item": {"target": "Item 3"},
        "rare item": {"target": "Rare"},
        "rare item, deep": {"target": "Rare", "before_id": count // 2},
        "no such item": {"target": "Nobody"},
        "rare status": {"status": Status.ERROR},
        "common status": {"status": Status.COMPLETED},
        "session": {"session_id": small},
    }
    offered = set(inspect.signature(director.store.latest).parameters)
    times: dict[str, dict[str, float]] = {}
    missing: list[str] = []
    with served(director) as client:
        client.get(f"/api/irislite/sessions/{small}")  # the server's first answer takes its time, whatever it is
        described = client.get("/openapi.json")["paths"]["/api/irislite/messages"]["get"]["parameters"]
        over_http = {parameter["name"] for parameter in described}
        for name, values in filters.items():
            if values.keys() <= offered:
                times[f"store: {name}"] = _times_ms(repeats, lambda values=values: director.store.latest(50, **values))
            else:
                missing.append(f"store: {name}")
            if values.keys() <= over_http:
                query = {"limit": 50, **{key: _word(value) for key, value in values.items()}}
                times[f"HTTP: {name}"] = _times_ms(
                    repeats, lambda query=query: client.get("/api/irislite/messages", query)
                )
            else:
                missing.append(f"HTTP: {name}")
        for name, session in (("trace of 2 messages", small), (f"trace of {LARGE_SESSION - 2} messages", large)):
            times[f"HTTP: {name}"] = _times_ms(
                repeats, lambda session=session: client.get(f"/api/irislite/sessions/{session}")
            )
    size_mb = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
    director.close()
    return {"stored": count, "fill_s": round(fill_s, 1), "size_mb": round(size_mb), "ms": times, "not_offered": missing}


def _word(value: Any) -> Any:
    return value.name.title() if isinstance(value, Status) else value


def _times_ms(repeats: int, call: Callable[[], Any]) -> dict[str, float]:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return {"first": round(times[0], 2), "median": round(statistics.median(times), 2), "worst": round(max(times), 2)}


def _fill(folder: Path, fill: Callable[[Director], None]) -> None:
    """Fill a store in another process, so that the measured one starts with memory of its own."""
    child = os.fork()
    if child == 0:
        try:
            director = Director(folder, synchronous="NORMAL")
            fill(director)
            director.close()
        except BaseException as error:  # noqa: BLE001 - told by the exit status
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("The store could not be filled: its words are above.")


# -- all parts ---------------------------------------------------------------------------------


def run(part: str, **options: int) -> dict[str, Any]:
    """One part in a process and a folder of its own."""
    print(f"{part} {options}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [f"--{name}={value}" for name, value in options.items()]
        command = [sys.executable, __file__, "--part", part, "--folder", folder, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{part} failed: its words are above.")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def rows(result: dict[str, Any]) -> Iterator[str]:
    """The table for people."""
    yield f"{'queue length':>14} {'µs a message':>14} {'CPU µs':>10} {'RSS MB':>8}"
    for one in result["queues"]:
        yield f"{one['length']:14,} {one['wall_us']:14.1f} {one['cpu_us']:10.1f} {one['rss_mb']:8.1f}"
    yield f"longest over shortest: {result['flat']:.2f} (CPU {result['flat_cpu']:.2f}); goal below {GOALS['flat']}"
    found = result["restart"]
    yield f"restart with {found['queued']:,} queued: first one handled after {found['first_s']:.2f} s; goal below 5"
    yield f"{result['stored']['stored']:,} stored messages, {result['stored']['size_mb']:,} MB; goal below 100 ms"
    for name, times in result["stored"]["ms"].items():
        yield f"  {name:28} first {times['first']:9.2f}  median {times['median']:9.2f}  worst {times['worst']:9.2f} ms"
    if result["stored"]["not_offered"]:
        yield f"  not offered by the message list: {', '.join(result['stored']['not_offered'])}"
    yield f"goals met: {', '.join(f'{name} {met}' for name, met in result['met'].items())}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queue-lengths", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--queued", type=int, default=100_000, help="at the restart")
    parser.add_argument("--messages", type=int, default=4_000, help="sent and handled at each queue length")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="a hundredth of everything: does it work?")
    parser.add_argument("--part", choices=("queue", "restart", "stored"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--length", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "queue":
        print(json.dumps(queue_cost(options.folder, options.length, options.messages, options.repeats)))
        return
    if options.part == "restart":
        print(json.dumps(restart(options.folder, options.queued)))
        return
    if options.part == "stored":
        print(json.dumps(stored(options.folder, options.stored, options.repeats)))
        return
    if options.quick:
        options.queue_lengths, options.messages, options.repeats = [1_000, 10_000], 480, 3
        options.stored, options.queued = 10_000, 1_000

    queues = [
        run("queue", length=length, messages=options.messages, repeats=options.repeats)
        for length in options.queue_lengths
    ]
    result: dict[str, Any] = {
        "benchmark": "store", **machine.facts(), "queues": queues,
        "flat": round(queues[-1]["wall_us"] / queues[0]["wall_us"], 3),
        "flat_cpu": round(queues[-1]["cpu_us"] / queues[0]["cpu_us"], 3),
        "restart": run("restart", queued=options.queued),
        "stored": run("stored", stored=options.stored, repeats=options.repeats),
    }  # fmt: skip
    result["met"] = {
        "flat": result["flat"] < GOALS["flat"],
        "restart": result["restart"]["first_s"] < GOALS["restart_s"],
        "pages and traces": all(times["median"] < GOALS["page_ms"] for times in result["stored"]["ms"].values()),
    }
    print("\n".join(rows(result)))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
