"""Try a model that no item has open: in a process of its own, which is gone afterwards, with limits of time and size.

`python -m inference.trial` is that process: it reads what to do as JSON and writes the answer as JSON.
"""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.errors import InferenceError
from inference.folder import plain

TIMEOUT_S = 120.0
LARGEST_BYTES = 3_000_000_000
"""Of a folder: a larger model deserves an item."""

_one_at_a_time = threading.Lock()
_MARK = "evergreen-answer: "


class TrialFailed(InferenceError, RuntimeError):
    """The model could not be tried."""


def ask(root: Path, name: str, task: str, fields: Mapping[str, Any], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """What the model `name` in `root` answers to a request's `fields`, loaded for this one question.

    The answer has `output`, `images` (media_type, data in base64, width, height, title), `note`. One is tried at a
    time. Raises `TrialFailed` that says what to do, for whatever the model or its limits refuse.
    """
    folder = root / plain(name)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LARGEST_BYTES:
        raise TrialFailed(
            f"{name} has {size / 1e9:.1f} GB, too much to load for one question. Give it an item, and ask that."
        )
    if not _one_at_a_time.acquire(blocking=False):
        raise TrialFailed("Another model is being tried just now: try again in a moment.")
    try:
        return _asked({"root": str(root), "name": name, "task": task, "fields": dict(fields)}, timeout_s)
    finally:
        _one_at_a_time.release()


def _asked(question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    sources = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([sources, os.getenv("PYTHONPATH", "")])}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "inference.trial"],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TrialFailed(
            f"{question['name']} did not answer within {timeout_s:.0f} s, loading included. Ask for less, or give it "
            "an item, which keeps it loaded."
        ) from error
    line = next((line for line in done.stdout.splitlines() if line.startswith(_MARK)), "")
    if not line:
        last = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise TrialFailed(
            f"The process that tried {question['name']} ended with code {done.returncode}; its last words: {last[0]}. "
            "Is there enough memory for the model?"
        )
    answer: dict[str, Any] = json.loads(line.removeprefix(_MARK))
    if "error" in answer:
        raise TrialFailed(answer["error"])
    return answer


def main() -> None:
    """The process: one question, one answer."""
    import paths
    from inference import pipeline

    question = json.load(sys.stdin)
    try:
        model = pipeline.open(
            question["name"], question["task"], path=question["root"], options={"backend": "torch"}, log=_silent
        )
        answered = pipeline.run(model, question["fields"])
    except (InferenceError, paths.PathNotAllowed) as error:
        answer: dict[str, Any] = {"error": str(error)}
    else:
        pictures = [
            {
                "media_type": picture.media_type,
                "data": base64.b64encode(picture.data).decode("ascii"),
                "width": picture.width,
                "height": picture.height,
                "title": picture.title,
            }
            for picture in answered.images
        ]
        answer = {"output": answered.output, "images": pictures, "note": answered.note}
    print(f"{_MARK}{json.dumps(answer)}", flush=True)


def _silent(_: str) -> None:
    pass


if __name__ == "__main__":
    main()
