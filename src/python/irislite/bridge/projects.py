"""The Python modules of projects: each is read from its own folders, though another has modules of the same names.

On IRIS every host is a process with modules of its own. Here all share one interpreter, where a name such as
`bo` or `msg` is one module: it belongs to the production that runs. Looking at another project is a visit.
"""

import importlib
import re
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_OWN = (__name__.partition(".")[0], "__main__")  # never forgotten, whatever lies in a project's folder
_INSTALLED = tuple({f"{sysconfig.get_path(kind)}/" for kind in ("stdlib", "platstdlib", "purelib", "platlib")})
_lock = threading.RLock()


class Visit:
    """From now on the names of modules mean those of these folders, until `end`."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        with _lock:
            self._path, self._before = list(sys.path), dict(_projects())
            foreign = [name for name, module in self._before.items() if _is_foreign(name, module, self._folders)]
            self.displaces = bool(foreign)  # modules of equal names had to go
            for name in foreign:
                del sys.modules[name]
            for folder in reversed(self._folders):
                if str(folder) in sys.path:
                    sys.path.remove(str(folder))
                sys.path.insert(0, str(folder))
            importlib.invalidate_caches()

    def end(self) -> None:
        """Put back what was there before, and forget what was imported from the folders meanwhile."""
        with _lock:
            for name, module in _projects():
                if name not in self._before and _is_below(module, self._folders):
                    del sys.modules[name]
            sys.modules.update(self._before)
            sys.path[:] = self._path
            importlib.invalidate_caches()


def folders(classpaths: str) -> list[Path]:
    """The folders of a class path, which are separated by '|' or ':'."""
    return [Path(part).absolute() for part in dict.fromkeys(re.split(r"[|:]", classpaths)) if part]


def enter(paths: Iterable[Path]) -> None:
    """A visit without an end."""
    Visit(paths)


@contextmanager
def visit(paths: Iterable[Path]) -> Iterator[Visit]:
    """A visit for the time of a `with` block. If it displaces nothing, what it imported stays."""
    with _lock:
        visited = Visit(paths)
        try:
            yield visited
        finally:
            if visited.displaces:
                visited.end()


def forget(folder: Path) -> None:
    """Let the next import read the folder's files again."""
    for name, module in _projects():
        if _is_below(module, [folder]):
            sys.modules.pop(name, None)
    importlib.invalidate_caches()


def is_home(name: str, paths: list[Path]) -> bool:
    """Whether a module is imported, and from these folders if they have one of that name."""
    module = sys.modules.get(name)
    return module is not None and not _is_foreign(name, module, paths)


def _projects() -> list[tuple[str, ModuleType]]:
    """The modules that were read from a project: all but ours and those that are installed."""
    return [
        (name, module)
        for name, module in sys.modules.copy().items()  # in one step: other threads import too
        if (file := _file(module)) and not file.startswith(_INSTALLED) and name.partition(".")[0] not in _OWN
    ]


def _is_below(module: ModuleType, paths: list[Path]) -> bool:
    return _file(module).startswith(tuple(f"{path}/" for path in paths))


def _is_foreign(name: str, module: ModuleType, paths: list[Path]) -> bool:
    """Whether one of the folders has another module of that name."""
    inner = Path(*name.split("."))
    for folder in paths:
        for file in (folder / inner.with_suffix(".py"), folder / inner / "__init__.py"):
            if file.is_file():
                loaded = _file(module)
                return str(file) != loaded and not (Path(loaded).exists() and file.samefile(loaded))
    return False


def _file(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else ""
