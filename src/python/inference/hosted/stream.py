"""Puts the pieces of a streamed answer together, so that it looks as if it had come whole."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from inference.answer import Log
from inference.errors import EndpointError

_REPORT_EVERY_S = 2.0
_ADDED = ("content", "reasoning", "reasoning_content", "refusal")  # texts that come in pieces


def events(lines: Iterable[str]) -> Iterator[Any]:
    """The JSON of server-sent events, one for each `data:`, until `[DONE]`. Raises `EndpointError` for what is none."""
    for line in lines:
        if not line.startswith("data:"):
            continue  # an empty line, a comment, the name of an event
        text = line[len("data:") :].strip()
        if text == "[DONE]":
            return
        try:
            yield json.loads(text)
        except ValueError as error:
            raise EndpointError(
                f"The stream holds what is no JSON ({error}). Call without stream, or try again."
            ) from None


@dataclass
class Whole:
    """What has come of a streamed answer; `add` takes the next event."""

    pieces: int = 0
    letters: int = 0
    is_complete: bool = False  # whether the answer itself said that it has ended
    _head: dict[str, Any] = field(default_factory=dict)
    _choices: dict[int, dict[str, Any]] = field(default_factory=dict)
    _texts: list[str] = field(default_factory=list)
    _generated: dict[str, Any] | None = None
    _others: list[Any] = field(default_factory=list)

    def add(self, event: Any) -> None:
        """Raises `EndpointError` for an event that is an error."""
        self.pieces += 1
        if not isinstance(event, dict):
            self._others.append(event)
        elif event.get("error"):
            error = event["error"]
            words = str(error.get("message", error) if isinstance(error, dict) else error)[:300].rstrip(".")
            raise EndpointError(f"The model broke off after {self.letters} letters: {words}. Send the request again.")
        elif isinstance(event.get("choices"), list):
            self._head.update({name: value for name, value in event.items() if name != "choices" and value is not None})
            for choice in event["choices"]:
                self._add_choice(choice)
        elif isinstance(event.get("token"), dict):
            self._add_token(event)
        else:
            self._others.append(event)

    def output(self) -> Any:
        """The whole answer, in the form that the same call has without a stream."""
        if self._choices:
            choices = [self._choices[index] for index in sorted(self._choices)]
            head = dict(self._head)
            if str(head.get("object", "")).endswith(".chunk"):
                head["object"] = head["object"].removesuffix(".chunk")
            return {**head, "choices": choices}
        if self._texts or self._generated:
            return self._generated or {"generated_text": "".join(self._texts)}
        return self._others

    def _add_choice(self, piece: dict[str, Any]) -> None:
        choice = self._choices.setdefault(piece.get("index") or 0, {"index": piece.get("index") or 0})
        if isinstance(piece.get("text"), str):
            choice["text"] = choice.get("text", "") + self._counted(piece["text"])
        if isinstance(delta := piece.get("delta"), dict):
            self._add_delta(choice.setdefault("message", {"role": "assistant", "content": ""}), delta)
        if piece.get("finish_reason"):
            choice["finish_reason"] = piece["finish_reason"]
            self.is_complete = True

    def _add_delta(self, message: dict[str, Any], delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            if name == "tool_calls" and isinstance(value, list):
                _add_tools(message.setdefault("tool_calls", []), value)
            elif name in _ADDED and isinstance(value, str):
                message[name] = (message.get(name) or "") + self._counted(value)
            elif value is not None:
                message[name] = value

    def _add_token(self, event: dict[str, Any]) -> None:
        token = event["token"]
        if not token.get("special") and isinstance(token.get("text"), str):
            self._texts.append(self._counted(token["text"]))
        if event.get("generated_text") is not None:
            self._generated = {
                name: event[name] for name in ("generated_text", "details") if event.get(name) is not None
            }
            self.is_complete = True

    def _counted(self, text: str) -> str:
        self.letters += len(text)
        return text


def gather(stream: Iterable[Any], log: Log) -> Whole:
    """All events of a stream, with a line in the log every few seconds."""
    whole, reported_s = Whole(), time.monotonic()
    for event in stream:
        whole.add(event)
        if time.monotonic() - reported_s >= _REPORT_EVERY_S:
            reported_s = time.monotonic()
            log(f"The answer so far: {whole.letters} letters in {whole.pieces} pieces.")
    log(f"The stream has ended: {whole.letters} letters in {whole.pieces} pieces.")
    return whole


def _add_tools(calls: list[dict[str, Any]], pieces: list[dict[str, Any]]) -> None:
    """A tool call comes in pieces too: its name first, its arguments letter by letter."""
    for piece in pieces:
        index = piece.get("index") or 0
        while len(calls) <= index < 128:
            calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
        call = calls[min(index, len(calls) - 1)]
        call.update({name: piece[name] for name in ("id", "type") if piece.get(name)})
        for name, text in (piece.get("function") or {}).items():
            if isinstance(text, str):
                call["function"][name] = call["function"].get(name, "") + text
