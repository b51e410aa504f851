"""A request for a hosted model: its fields, checked before anything is done with them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from inference.errors import InputRefused, OptionUnknown
from inference.hosted.hosting import number
from inference.hosted.tasks import CHAT, find, near

_MODEL = re.compile(r"[\w.-]{1,96}(?:/[\w.-]{1,96})?(?::[\w-]{1,40})?")  # a name, and :fastest or :provider after it
_WORD = re.compile(r"[\w.-]{1,96}")
_BY_NAME = ("model", "provider", "task", "inputs", "parameters", "messages", "stream", "bill_to")


@dataclass(frozen=True)
class Request:
    """The fields of `msg.HFRequest`. Either `api_url` is there, or `model`."""

    api_url: str = ""
    payload: Any = None
    api_key: str = field(default="", repr=False)
    model: str = ""
    provider: str = ""
    task: str = ""
    inputs: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: Any = None
    stream: bool = False
    timeout: float | None = None
    bill_to: str = ""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "Request":
        """Raises `InputRefused`, `OptionUnknown` and `TaskUnknown` with what to write."""
        names = {each.name for each in fields(cls)}
        values = {name: value for name, value in given.items() if value not in (None, "")}
        for name in values:
            if name not in names:
                raise OptionUnknown(f"A request for a hosted model has no field {name!r}.{near(name, names)}")
        for name in ("api_url", "api_key", "model", "provider", "task", "bill_to"):
            if not isinstance(values.get(name, ""), str):
                raise InputRefused(f"{name} is no text but a {type(values[name]).__name__}. Give it as a text.")
        if not isinstance(values.get("stream", False), bool):
            raise InputRefused(f"stream is {values['stream']!r}. Give true or false.")
        if not isinstance(values.get("parameters", {}), Mapping):
            raise InputRefused('parameters must be a JSON object, as in {"top_k": 1}.')
        if "timeout" in values:
            values["timeout"] = number(values["timeout"], "timeout", 0.001)
        request = cls(**values)
        request._check(values)
        return request

    @property
    def by_url(self) -> bool:
        """Whether `model` is the address of an endpoint of one's own."""
        return self.model.startswith(("http://", "https://"))

    @property
    def name(self) -> str:
        """The model's name on the hub, without the provider that may follow it."""
        return self.model.partition(":")[0]

    def _check(self, values: Mapping[str, Any]) -> None:
        if self.api_url:
            if others := [name for name in _BY_NAME if values.get(name)]:
                raise OptionUnknown(
                    f"api_url and {others[0]} do not go together. Put all that the address is sent into payload, or "
                    "give model instead of api_url."
                )
            if self.payload is None:
                raise InputRefused("payload is missing. Give the text, or the JSON object, that the model is to read.")
            return
        if not self.model:
            raise InputRefused(
                'There is neither model nor api_url. Send {"model": "owner/name", "inputs": "text"}, or an address '
                "with a payload."
            )
        if self.payload is not None:
            raise OptionUnknown("payload goes with api_url. Send inputs, or messages for a chat, together with model.")
        if not self.by_url and (not _MODEL.fullmatch(self.model) or ".." in self.model):
            raise InputRefused(f"model is {self.model!r}, which is no model's name. Give it as owner/name.")
        for name in ("provider", "bill_to"):
            if values.get(name) and not _WORD.fullmatch(values[name]):
                raise InputRefused(f"{name} is {values[name]!r}, which is no name. Correct it, or leave it out.")
        if self.messages is not None and self.task and find(self.task).name != CHAT:
            raise OptionUnknown(
                f"messages are for a chat, and the task is {self.task}. Send inputs, or leave task out."
            )
        if self.messages is None and self.inputs is None and not self.parameters:
            raise InputRefused("There is nothing for the model to work on. Send inputs, or messages for a chat.")
        if self.messages is not None and self.inputs is not None:
            raise OptionUnknown("messages and inputs do not go together. Leave one of them out.")
