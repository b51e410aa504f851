"""Runs an operation of `tuning.registry` in processes that are killed, each before another file operation.

    python crashes.py FOLDER OPERATION TWICE

FOLDER/template holds the models' folder to begin with. FOLDER/N is what a process leaves that was
killed before its Nth file operation; with TWICE, FOLDER/N.M is that after a `recover` which was
killed before its Mth. The last folder's process was not killed at all.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tuning import registry

NAME = "bert"


def save(root: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "config.json").write_text('{"of": "newest"}')
        (folder / "weights").mkdir()
        (folder / "weights" / "model.safetensors").write_text("newest" * 1_000)

    registry.save_candidate(root, NAME, write, {"of": "newest"})


OPERATIONS: dict[str, Callable[[Path], object]] = {
    "save": save,
    "promote": lambda root: registry.promote(root, NAME),
    "recover": lambda root: registry.recover(root, NAME),
}


def killed(root: Path, operation: Callable[[Path], object], before: int) -> bool:
    """Whether a process that runs `operation` on `root` reaches its file operation number `before`, and dies there."""
    child = os.fork()
    if child == 0:
        _count_down(str(root), before)
        operation(root)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"the operation failed in {root}")
    return False


def _count_down(root: str, left: int) -> None:
    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            step()

    def fsync(descriptor: int, sync: Callable[[int], None] = os.fsync) -> None:
        step()
        sync(descriptor)

    os.fsync = fsync
    sys.addaudithook(audit)


def every_crash(template: Path, folder: Path, name: str, operation: Callable[[Path], object]) -> list[Path]:
    """The folders that crashes before the 1st, 2nd, ... file operation leave of `template`, and the finished one."""
    left: list[Path] = []
    while True:
        root = folder / f"{name}{len(left) + 1}"
        shutil.copytree(template, root)
        left.append(root)
        if not killed(root, operation, before=len(left)):
            return left


def main(folder: Path, operation: str, twice: bool) -> None:
    for root in every_crash(folder / "template", folder, "", OPERATIONS[operation])[:-1]:
        if twice:
            every_crash(root, folder, f"{root.name}.", OPERATIONS["recover"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "twice")
