"""Listening and stopping."""

import os
import signal
import subprocess
import sys
import time

import pytest

from irislite.web.server import ServerError, listen


def test_a_port_that_is_taken_is_told_with_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"PORT={port + 1}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 100])
def test_a_host_that_is_not_here_is_told(host: str) -> None:
    with pytest.raises(ServerError, match=r"set HOST to 127\.0\.0\.1"):
        listen(host, 0)


SERVE = """
import sys, threading, time, asyncio
from irislite.web import blocking
from irislite.web.server import serve

async def app(scope, receive, send):
    if scope["type"] == "http":
        await blocking.run(time.sleep, 60)

def ready():
    print("ready", flush=True)

serve(app, "127.0.0.1", 0, ready)
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server_and_goes_on_after_it(number: int) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began_s = time.monotonic()
        process.send_signal(number)
        assert process.stdout.read() == "stopped\n"
        assert process.wait(60) == 0
        assert time.monotonic() - began_s < 30
