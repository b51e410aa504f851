"""The commands: workers and receivers without a production, and a look at the stream.

Each setting is a flag, as --batch-size, or an environment variable, as SENTIMENT_BATCH_SIZE. Secrets are environment
variables alone: REDIS_USERNAME, REDIS_PASSWORD, EVERGREEN_API_KEY (of the model), SENTIMENT_TOKEN (of POST /posts).
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from sentiment.errors import SentimentError
from sentiment.feeding import Feeder
from sentiment.file import FileSource
from sentiment.link import Link, connect
from sentiment.options import SETTINGS, Options
from sentiment.overview import Overview
from sentiment.worker import Worker

_MOST_THREADS = 64


def register(parser: argparse.ArgumentParser) -> None:
    """The commands, as arguments of a parser; `run` does what they say."""
    commands = parser.add_subparsers(dest="sentiment", required=True)
    settings = argparse.ArgumentParser(add_help=False)
    for name in SETTINGS:
        said = os.environ.get(f"SENTIMENT_{name.upper()}")
        settings.add_argument(_flag(name), dest=name, metavar="VALUE", default=said)
    worker = commands.add_parser("worker", parents=[settings], help="label the stream with the model at --model-url")
    worker.add_argument("--threads", type=int, default=1, help="so many batches are asked of the model at once")
    commands.add_parser("receive", parents=[settings], help="take posts over HTTP into the stream")
    commands.add_parser("replay", parents=[settings], help="feed the file of --path into the stream")
    commands.add_parser("state", parents=[settings], help="how the stream stands, as JSON")
    dead = commands.add_parser("dead", parents=[settings], help="list dead letters, put them back, drop them")
    dead.add_argument("act", choices=("list", "put-back", "drop"))
    dead.add_argument("ids", nargs="*", metavar="ID")


def run(given: argparse.Namespace) -> None:
    """Do what was asked on the command line. Raises `SentimentError`."""
    told = {name: value for name in SETTINGS if (value := getattr(given, name)) is not None}
    if given.sentiment in ("worker", "receive"):
        told["source"] = "stream"  # who fills the stream is another process
    if given.sentiment == "replay":
        told.setdefault("repeat", "false")
    options = Options.parse(told)
    link = connect(options)
    try:
        if given.sentiment == "worker":
            _work(options, link, given.threads)
        elif given.sentiment == "receive":
            _receive(options, link)
        elif given.sentiment == "replay":
            _replay(options, link)
        elif given.sentiment == "state":
            print(json.dumps(Overview(link, options).state(), indent=2))
        else:
            print(json.dumps(_dead(Overview(link, options), given.act, given.ids), indent=2, ensure_ascii=False))
    finally:
        link.close()


def _work(options: Options, link: Link, threads: int) -> None:
    from sentiment.health import Health, app
    from sentiment.receiving import Served
    from sentiment.remote import RemoteModel

    if not 1 <= threads <= _MOST_THREADS:
        raise SentimentError(f"--threads {threads}: give 1 to {_MOST_THREADS}.")
    model = RemoteModel(options)
    workers = [Worker(options, link, model, _say) for _ in range(threads)]
    health = Health(Overview(link, options), lambda: [one.figures() for one in workers], model.ready)
    stopping = _stopping()
    served = Served(app(health), options.health_host, options.health_port)
    _say(f"{workers[0].consumer} labels {options.prefix}:posts; probes and metrics on port {served.port}.")
    running = [threading.Thread(target=one.run, args=(stopping,)) for one in workers]
    _all(running)
    served.stop()


def _receive(options: Options, link: Link) -> None:
    from sentiment.health import Health, app
    from sentiment.receiving import Intake, Served, routes, token_for

    intake = Intake(options, link)
    health = Health(
        Overview(link, options),
        lambda: [{"consumer": "receiver", "accepted": intake.accepted, "refused": intake.refused}],
    )
    stopping = _stopping()
    served = Served(app(health, routes(intake, token_for(options.host))), options.host, options.port)
    _say(f"Posts are taken at http://{options.host}:{served.port}/posts.")
    stopping.wait()
    served.stop()


def _replay(options: Options, link: Link) -> None:
    source = FileSource(options.file, options.rate, options.repeat)
    feeder = Feeder(source, link, options, _say)
    feeder.run(_stopping().wait, to_the_end=not options.repeat)
    _say(f"{feeder.fed:,} posts were fed.")


def _dead(overview: Overview, act: str, ids: list[str]) -> Any:
    if act == "list":
        return overview.dead()
    return {act: overview.put_back(ids) if act == "put-back" else overview.drop(ids)}


def _all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _stopping() -> threading.Event:
    """Set by SIGTERM and by Ctrl-C."""
    event = threading.Event()
    stop: Callable[..., None] = lambda *_: event.set()  # noqa: E731
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return event


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)
