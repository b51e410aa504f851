"""Runs an operation of `tuning.registry` in processes that crash, each before another file operation.

    python crashes.py FOLDER OPERATION HOW [without-exchange]

FOLDER/template holds the models' folder to begin with. HOW is one of

    once    FOLDER/N is what a process leaves that was killed before its Nth file operation; the last of them was not
            killed at all
    twice   FOLDER/N.M is that after a `recover` which was killed before its Mth file operation
    power   FOLDER/N.NAMES.DATA is what a power cut leaves at that point of what was not synced: of names (made,
            changed, removed) none, all or one change of them, of data nothing, half or all
    again   the same for a `recover` after the process was killed before its Kth file operation: FOLDER/K.N.NAMES.DATA
    full    FOLDER/N is what is there after the Nth file operation found the disk full, and FOLDER/N.on if it still was
            afterwards for everything that needs room; outcome-N is "done", or the words it was refused with

without-exchange: on a system that cannot exchange two names in one step.
"""

import errno
import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tuning import NoSpace, disk, registry

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
    "rollback": lambda root: registry.roll_back(root, NAME),
    "recover": lambda root: registry.recover(root, NAME),
}


def killed(root: Path, operation: Callable[[Path], object], before: int) -> bool:
    """Whether a process that runs `operation` on `root` reaches its file operation number `before`, and dies there."""
    child = os.fork()
    if child == 0:
        left = before

        def step(_: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        watch(step, lambda inode: None)
        operation(root)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"the operation failed in {root}")
    return False


def refused(root: Path, operation: Callable[[Path], object], at: int, stays: bool) -> bool:
    """Run `operation` while its file operation number `at` finds the disk full; whether it reached that one."""
    child = os.fork()
    if child == 0:
        number = 0

        def step(event: str) -> None:
            nonlocal number
            number += 1
            needs_room = event in ("open", "fsync", "os.mkdir")
            if number == at or (stays and number > at and needs_room):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        watch(step, lambda inode: None)
        try:
            operation(root)
            outcome = "done"
        except NoSpace as error:
            outcome = str(error)
        reached, at = number >= at, 1_000_000
        (root.parent / f"outcome-{root.name}").write_text(outcome)
        os._exit(0 if reached else 3)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def full(template: Path, folder: Path, operation: Callable[[Path], object]) -> None:
    for stays in (False, True):
        number = 1
        while True:
            root = folder / f"{number}{'.on' if stays else ''}"
            shutil.copytree(template, root)
            if not refused(root, operation, number, stays):
                break
            number += 1


def watch(step: Callable[[str], None], synced: Callable[[int], None]) -> None:
    """Call `step` with its kind before every operation of this process that changes a file or a folder or waits for the
    disk, and `synced` with the inode after every sync."""

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"):
            step(event)

    def fsync(descriptor: int, sync: Callable[[int], None] = os.fsync) -> None:
        step("fsync")
        sync(descriptor)
        synced(os.fstat(descriptor).st_ino)

    def exchange(one: Path, other: Path, call: Callable[[Path, Path], bool] = disk.exchange) -> bool:
        step("exchange")
        return call(one, other)

    os.fsync, disk.exchange = fsync, exchange
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


class PowerCuts:
    """What would be on the disk after a power cut: seen before each file operation, and what each sync made durable.

    A file's data lasts once the file was synced, a name in a folder once the folder was: POSIX promises no more.
    """

    def __init__(self, root: Path, folder: Path, prefix: str = "") -> None:
        self._root, self._folder, self._prefix = root, folder, prefix
        self._seen: dict[int, bytes | dict[str, int]] = {}
        self._open: dict[int, int] = {}
        self._step = 0
        self._left: set[str] = set()
        self._look(root)
        self._durable = dict(self._seen)

    def step(self) -> None:
        """Leave the folders of a power cut at this point."""
        self._step += 1
        self._look(self._root)
        root = self._root.stat().st_ino
        for names in ("lost", "kept", *range(len(self._changes(root)))):
            for data in ("lost", "half", "kept"):
                state = self._state(root, names, data)
                digest = hashlib.sha256(repr(state).encode()).hexdigest()
                if digest not in self._left:
                    self._left.add(digest)
                    _put(self._folder / f"{self._prefix}{self._step}.{names}.{data}", state)

    def synced(self, inode: int) -> None:
        self._look(self._root)
        if inode in self._seen:
            self._durable[inode] = self._seen[inode]

    def _look(self, path: Path) -> int:
        inode = path.stat().st_ino
        if inode not in self._open:  # while it is open, no other file gets its number
            self._open[inode] = os.open(path, os.O_RDONLY)
        if path.is_dir():
            self._seen[inode] = {entry.name: self._look(entry) for entry in sorted(path.iterdir())}
        else:
            self._seen[inode] = path.read_bytes()
        return inode

    def _changes(self, inode: int) -> list[set[str]]:
        """The names in a folder that were changed and not synced; those that one renaming changed, together."""
        now, before = self._seen[inode], self._durable.get(inode, {})
        changes: list[tuple[set[str], set[int | None]]] = []
        for name in sorted(name for name in {*now, *before} if now.get(name) != before.get(name)):
            names, inodes = {name}, {now.get(name), before.get(name)} - {None}
            for change in [one for one in changes if one[1] & inodes]:
                changes.remove(change)
                names, inodes = names | change[0], inodes | change[1]
            changes.append((names, inodes))
        return [names for names, _ in changes]

    def _state(self, inode: int, names: str | int, data: str) -> bytes | dict[str, object]:
        now = self._seen[inode]
        if isinstance(now, dict):
            entries = now if names == "kept" else self._durable.get(inode, {})
            if isinstance(names, int) and inode == self._root.stat().st_ino:
                changed = self._changes(inode)[names]
                entries = {name: below for name, below in entries.items() if name not in changed}
                entries |= {name: now[name] for name in changed if name in now}
            return {name: self._state(below, names, data) for name, below in entries.items()}
        before = self._durable.get(inode, b"")
        if data == "lost" or now == before:
            return before
        if data == "kept":
            return now
        common = len(before) if now.startswith(before) else 0
        return now[: (common + len(now)) // 2]


def _put(path: Path, state: bytes | dict[str, object]) -> None:
    if isinstance(state, bytes):
        path.write_bytes(state)
        return
    path.mkdir()
    for name, below in state.items():
        _put(path / name, below)


class Killed(BaseException):
    """Ends an operation where a kill would: no handler of errors sees it."""


def power(folder: Path, operation: Callable[[Path], object], killed_before: int = 0) -> bool:
    """Leave what power cuts during `operation` would, or during a recovery after it was killed; whether it was."""
    root = folder / f"at-work-{killed_before}"
    shutil.copytree(folder / "template", root)
    cuts = PowerCuts(root, folder, f"{killed_before}." if killed_before else "")
    number, watching = 0, True

    def step(_: str) -> None:
        nonlocal number, watching
        if not watching:  # what a power cut left is being written
            return
        number += 1
        if number == killed_before:
            raise Killed
        if number > killed_before:
            watching = False
            cuts.step()
            watching = True

    watch(step, cuts.synced)
    was_killed = False
    try:
        operation(root)
    except Killed:
        was_killed = True
        registry.recover(root, NAME)
    watching = False
    cuts.step()
    return was_killed


def again(folder: Path, operation: Callable[[Path], object]) -> None:
    number, status = 0, 0
    while status == 0:
        number += 1
        child = os.fork()
        if child == 0:
            os._exit(0 if power(folder, operation, number) else 3)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 3:
        raise SystemExit(f"the recovery after operation {number} failed in {folder}")


def main(folder: Path, operation: str, how: str, *options: str) -> None:
    if "without-exchange" in options:
        disk.exchange = lambda one, other: False
    if how == "power":
        power(folder, OPERATIONS[operation])
        return
    if how == "again":
        again(folder, OPERATIONS[operation])
        return
    if how == "full":
        full(folder / "template", folder, OPERATIONS[operation])
        return
    for root in every_crash(folder / "template", folder, "", OPERATIONS[operation])[:-1]:
        if how == "twice":
            every_crash(root, folder, f"{root.name}.", OPERATIONS["recover"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
