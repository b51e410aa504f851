"""How tests ask the items of a production, and wait for what comes of it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from irislite.director import Director
from waiting import eventually

SOURCES = Path(__file__).parents[2] / "src" / "python"
DYING = """
import sys, time
from pathlib import Path
from irislite.director import Director
folder, target, name, body, condition = sys.argv[1:]
director = Director(Path(folder) / "home")
director.load(Path(folder) / "own_production.py")
director.start()
header = director.test_async(target, name, body)
while not eval(condition):
    time.sleep(0.005)
print(header.id, flush=True)
time.sleep(60)
"""


def message_class(director: Director, item: str) -> str:
    """The name of the first message class that an item handles."""
    return director.request_classes(item)[0].name


def ask(director: Director, ask_class: str, text: str, target: str = "Echo", **options: Any) -> dict[str, Any]:
    """The fields of the answer to a message that has a text."""
    return json.loads(director.test(target, ask_class, json.dumps({"text": text}), **options).body)


def answer_text(director: Director, header_id: int) -> str:
    """The text of the answer to a request, once it is there."""
    response = eventually(lambda: director.store.response_to(header_id))
    assert response is not None and not response.is_error, response
    body = director.store.body(response.message_body_id)
    assert body is not None
    return json.loads(body.content)["text"]


def kill_when(condition: str, folder: Path, target: str, ask_class: str, text: str, **environment: str) -> int:
    """Ask an item of the folder's own production in another process, and kill that when the condition holds.

    The condition is Python over `director` and the request's `header`. Returns the request's id.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", DYING, str(folder), target, ask_class, json.dumps({"text": text}), condition],
        env={**os.environ, "PYTHONPATH": str(SOURCES), **environment}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    header_id = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return header_id
