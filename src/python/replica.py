"""`evergreen serve NAME`: one model and nothing else, as often as wanted; `serving.py` is its production."""

import argparse
import os
import sys
import time
from contextlib import closing
from pathlib import Path

import inference.bundled
import paths
from api.keys import Keys
from inference.folder import defect, plain
from irislite import cli

SERVING_FILE = Path(__file__).resolve().with_name("serving.py")
LOOK_S = 5.0


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `serve`."""
    parser = commands.add_parser("serve", help="serve one model by the Open Inference Protocol, below /v2 on HOST:PORT")
    parser.add_argument("name", help="what the model is called below /v2, and its folder in src/model")
    parser.add_argument("--folder", type=Path, help="its folder, if that is elsewhere; nothing is written there")
    parser.add_argument("--task", default="text-classification", help="as in docs/tasks.md (text-classification)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of MLOperation")
    parser.add_argument("--keys", type=Path, help="a file of `evergreen keys export`: these keys are let in")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="how long the folder may be missing")


def run(options: argparse.Namespace) -> None:
    """Serve it until Ctrl-C. Raises `ModelNotFound` for a name that is none, `FileNotFoundError` without a model."""
    name = plain(options.name)
    if options.folder is None and name == inference.bundled.NAME:
        inference.bundled.install(paths.model_root(), print)
    place = paths.data_root() / "serving"
    link(place / name, options.folder or paths.model_root() / name, options.wait)
    if options.keys is not None:
        with closing(Keys.open()) as keys:
            keys.take(options.keys.read_text(encoding="utf-8"))
    lines = [f"name={name}", f"task={options.task}", f"path={place}", *options.set]
    os.environ["EVERGREEN_SERVED"] = "\n".join(lines)
    os.environ.setdefault("EVERGREEN_ROOT", str(paths.project_root()))
    os.environ.setdefault("IRISLITE_HOME", str(place / f".{name}"))
    cli.run(SERVING_FILE)
    sys.stdout.flush()
    os._exit(0)  # a library that still loads would keep the process, as in evergreen.run


def link(link: Path, folder: Path, wait_s: float) -> None:
    """Let a model folder be found at `link`; a model that takes its place there is the one that is found from then on.

    What is made of it for this machine comes beside the link, so that the folder may be read-only, and shared. Raises
    `FileNotFoundError` if no whole model is there after `wait_s` seconds.
    """
    until_s = time.monotonic() + wait_s
    while (problem := defect(folder)) is not None:
        told = f"The model folder {folder} {problem}. Put a whole model there, or name another folder."
        if time.monotonic() >= until_s:
            raise FileNotFoundError(told)
        print(f"Waiting: {told}", flush=True)
        time.sleep(min(LOOK_S, wait_s))
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(folder.absolute(), target_is_directory=True)
