"""The production that irislite is measured with: a service that sends, operations that do nothing."""

import threading
from dataclasses import dataclass
from typing import Any

from iop import BusinessOperation, BusinessProcess, BusinessService, Message, Production, PydanticMessage, handler

gate = threading.Semaphore(0)  # what Held may handle


class Ping(PydanticMessage):
    number: int = 0
    text: str = ""


class Pong(PydanticMessage):
    number: int = 0


@dataclass
class SlowPing(Message):
    """The same as a dataclass: for each declared field of each message `iop` makes a validator anew."""

    number: int = 0
    text: str = ""


class Door(BusinessService):
    """Sends for code outside the production."""


class Noop(BusinessOperation):
    @handler(Ping)
    def ping(self, request: Ping) -> Pong:
        return Pong(number=request.number)

    @handler(SlowPing)
    def slow_ping(self, request: SlowPing) -> Pong:
        return Pong(number=request.number)


class Held(BusinessOperation):
    """The same, as far as the gate lets messages through."""

    @handler(Ping)
    def ping(self, request: Ping) -> Pong:
        gate.acquire()
        return Pong(number=request.number)


class Relay(BusinessProcess):
    """Asks Noop twice at once and answers with the sum."""

    PERSISTENT_PROPERTY_LIST = ["total"]  # noqa: RUF012 - `iop` wants it so
    total: int = 0

    @handler(Ping)
    def ping(self, request: Ping) -> None:
        for key in ("a", "b"):
            self.send_request_async("Noop", request, completion_key=key)

    def on_response(self, _request: Any, response: Any, _call: Any, answer: Pong, _key: str) -> Any:
        self.total += answer.number
        return response

    def on_complete(self, _request: Any, _response: Any) -> Pong:
        return Pong(number=self.total)


production = Production("Bench.Production")
production.service("Door", Door)
production.process("Relay", Relay, pool_size=2)
production.operation("Noop", Noop, pool_size=1)
production.operation("Held", Held, pool_size=1)
PRODUCTIONS = [production]
