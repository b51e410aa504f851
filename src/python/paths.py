"""Where things lie: the project's root, the folders a request may name, the container's paths."""

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

CONTAINER_ROOT = "/irisdev/app"


class PathNotAllowed(PermissionError):
    """A request named a path outside the folders it may use."""


def project_root() -> Path:
    """The project's folder; `EVERGREEN_ROOT` overrides the place of this file."""
    override = os.environ.get("EVERGREEN_ROOT")
    return Path(override).resolve() if override else Path(__file__).resolve().parents[2]


def model_root() -> Path:
    """The folder that holds the model folders."""
    return project_root() / "src" / "model"


def data_root() -> Path:
    """The folder for what the application itself keeps, such as its keys; `EVERGREEN_DATA` names another."""
    override = os.environ.get("EVERGREEN_DATA")
    return Path(override).resolve() if override else project_root() / "data"


def socket_root() -> Path:
    """The private folder for sockets between this user's processes; `EVERGREEN_RUN` names another.

    It is short, because a socket's path may have no more than about a hundred letters. Raises `PathNotAllowed` for a
    folder that others own or may write to.
    """
    folder = Path(os.environ.get("EVERGREEN_RUN") or f"{tempfile.gettempdir()}/evergreen-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PathNotAllowed(f"{folder} is not this user's alone: delete it, or name another in EVERGREEN_RUN.")
    return folder


def allowed_roots() -> list[Path]:
    """The folders a request may read: models, `misc/`, and those of `EVERGREEN_ALLOWED_PATHS`."""
    extra = os.environ.get("EVERGREEN_ALLOWED_PATHS", "")
    roots = [model_root(), project_root() / "misc", *(Path(p) for p in extra.split(os.pathsep) if p)]
    return [root.resolve() for root in roots]


def from_container(text: str) -> Path:
    """The path that `text` means here.

    A path below `/irisdev/app/` is the container's: off the container it means the
    project's root. A relative path is relative to the project's root too.
    """
    root = project_root()
    if text == CONTAINER_ROOT or text.startswith(CONTAINER_ROOT + "/"):
        return root / text[len(CONTAINER_ROOT) :].lstrip("/")
    return root / text  # an absolute `text` wins over the root


def checked(text: str, roots: Iterable[Path] | None = None) -> Path:
    """The resolved path that a request's `text` means, if it lies below an allowed folder.

    Raises `PathNotAllowed` otherwise; symbolic links and `..` are followed first.
    """
    allowed = [root.resolve() for root in roots] if roots is not None else allowed_roots()
    try:
        path = from_container(text).resolve()
    except (ValueError, RuntimeError, OSError) as error:  # a NUL byte, a loop of links, a name too long
        raise PathNotAllowed(f"The path {text!r} cannot be used: {error}.") from error
    if any(path.is_relative_to(root) for root in allowed):
        return path
    folders = ", ".join(str(root) for root in allowed)
    raise PathNotAllowed(
        f"The path {text!r} is outside the allowed folders ({folders}). Move the file into one of them, "
        "or name its folder in the environment variable EVERGREEN_ALLOWED_PATHS."
    )
