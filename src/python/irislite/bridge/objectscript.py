"""What `iop` asks of ObjectScript's own tools: to load and compile classes. Its own are part of the runtime."""

import importlib.resources
from pathlib import Path
from typing import Any, NoReturn

from irislite.bridge.status import OK, ErrorStatus
from irislite.errors import NotSupported


class StaticClass(type):
    """A class of IRIS that has no instances here: an unknown method raises and names it."""

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotSupported(f"irislite does not have {cls.__doc__}.{name}: run this on InterSystems IRIS.")


class Obj(metaclass=StaticClass):
    """%SYSTEM.OBJ"""

    @staticmethod
    def LoadDir(path: str, _flags: str = "", pattern: str = "*.cls", *_: Any) -> int | ErrorStatus:
        """Well for the classes of `iop`, which are built in, and for a folder without classes."""
        own = Path(str(importlib.resources.files("iop").joinpath("cls")))
        folder = Path(path).absolute()
        if not folder.is_dir():
            return ErrorStatus(f"ERROR #5007: There is no folder {path}: name one that is there.")
        classes = [file.name for file in sorted(folder.rglob(pattern))]
        if folder.is_relative_to(own) or not classes:
            return OK
        return ErrorStatus(
            f"ERROR #5001: {path} holds ObjectScript ({', '.join(classes[:5])}), which irislite does not run: "
            "write these classes in Python, or run on InterSystems IRIS."
        )

    @staticmethod
    def Compile(classes: str, *_: Any) -> int | ErrorStatus:
        """Well for the classes of `iop`: there is nothing to compile."""
        if classes.startswith("IOP."):
            return OK
        return ErrorStatus(
            f"ERROR #5001: irislite compiles no ObjectScript, and {classes} is none of its own classes: "
            "write it in Python, or run on InterSystems IRIS."
        )
