"""IRIS's status values: 1 is well, everything else says what went wrong."""

from typing import Any

OK = 1


class ErrorStatus(str):
    """An error status; its text is the message."""


class Status:
    """`%SYSTEM.Status`: what `iop` asks about a status value."""

    @staticmethod
    def IsError(status: Any) -> int:
        return int(isinstance(status, ErrorStatus))

    @staticmethod
    def IsOK(status: Any) -> int:
        return int(not isinstance(status, ErrorStatus))

    @staticmethod
    def OK() -> int:
        return OK

    @staticmethod
    def Error(_code: int = 5001, text: str = "", *_: Any) -> ErrorStatus:
        return ErrorStatus(f"ERROR #5001: {text}")

    @staticmethod
    def GetOneStatusText(status: Any, _index: int = 1) -> str:
        return str(status) if isinstance(status, ErrorStatus) else ""

    GetErrorText = GetOneStatusText
