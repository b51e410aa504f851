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
    def Error(code: Any = 5001, text: str = "", *_: Any) -> ErrorStatus:
        # IRIS's codes have texts of their own; what is said with one is what there is to read here.
        number, words = (code, text) if isinstance(code, int) else (5001, str(code))
        return ErrorStatus(f"ERROR #{number}: {words}")

    @staticmethod
    def GetOneStatusText(status: Any, _index: int = 1) -> str:
        return str(status) if isinstance(status, ErrorStatus) else ""

    GetErrorText = GetOneStatusText
