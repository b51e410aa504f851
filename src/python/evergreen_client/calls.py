"""What is sent for each thing that a client can do; both clients send the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from evergreen_client.answers import Answer, Item, Model, Session

T = TypeVar("T")
PREFIX = "/api/v1"


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and what its JSON becomes. `timeout_s` is how long the server may take."""

    method: str
    path: str
    read: Callable[[Any], T]
    json: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 60.0
    headers: Mapping[str, str] = field(default_factory=dict)


def _session_id(found: Any) -> int:
    return int(found["session_id"])


def _list_of(kind: Any) -> Callable[[Any], list[Any]]:
    return lambda found: [kind.read(one) for one in found]


def status() -> Call[dict[str, str]]:
    return Call("GET", f"{PREFIX}/status", dict)


def items() -> Call[list[Item]]:
    return Call("GET", f"{PREFIX}/items", _list_of(Item))


def models() -> Call[list[Model]]:
    return Call("GET", f"{PREFIX}/models", _list_of(Model))


def send(item: str, classname: str, body: Mapping[str, Any], timeout_s: float) -> Call[Answer]:
    asked = {"class": classname, "body": dict(body), "timeout_s": timeout_s}
    return Call("POST", f"{PREFIX}/items/{quote(item, safe='')}/messages", Answer.read, asked, timeout_s=timeout_s)


def post(item: str, classname: str, body: Mapping[str, Any]) -> Call[int]:
    asked = {"class": classname, "body": dict(body), "wait": False}
    return Call("POST", f"{PREFIX}/items/{quote(item, safe='')}/messages", _session_id, asked)


def predict(model: str, fields: Mapping[str, Any], timeout_s: float) -> Call[Answer]:
    return _of_model(model, "predict", fields, timeout_s)


def train(model: str, fields: Mapping[str, Any]) -> Call[int]:
    return Call("POST", f"{PREFIX}/models/{quote(model, safe='')}/train", _session_id, dict(fields))


def cancel(model: str, keep_best: bool) -> Call[Answer]:
    return _of_model(model, "cancel", {"keep_best": keep_best}, 60.0)


def promote(model: str, conditions: Mapping[str, Any]) -> Call[Answer]:
    return _of_model(model, "promote", conditions, 300.0)


def roll_back(model: str) -> Call[Answer]:
    return _of_model(model, "rollback", {}, 300.0)


def history(model: str, limit: int) -> Call[Answer]:
    return Call("GET", f"{PREFIX}/models/{quote(model, safe='')}/history", Answer.read, params={"limit": limit})


def search(fields: Mapping[str, Any], item: str, timeout_s: float) -> Call[Answer]:
    params = {"timeout_s": timeout_s, **({"item": item} if item else {})}
    return Call("POST", f"{PREFIX}/search", Answer.read, dict(fields), params, timeout_s)


def session(session_id: int, bodies: bool) -> Call[Session]:
    return Call("GET", f"{PREFIX}/sessions/{session_id}", Session.read, params={"bodies": bodies})


def follow(session_id: int, after_id: str) -> Call[Any]:
    headers = {"Last-Event-ID": after_id} if after_id else {}
    return Call("GET", f"{PREFIX}/sessions/{session_id}/events", dict, headers=headers)


def generate(model: str, fields: Mapping[str, Any], timeout_s: float) -> Call[Any]:
    params = {"timeout_s": timeout_s}
    return Call("POST", f"{PREFIX}/models/{quote(model, safe='')}/generate", dict, dict(fields), params, timeout_s)


def _of_model(model: str, act: str, fields: Mapping[str, Any], timeout_s: float) -> Call[Answer]:
    path = f"{PREFIX}/models/{quote(model, safe='')}/{act}"
    return Call("POST", path, Answer.read, dict(fields), {"timeout_s": timeout_s}, timeout_s)
