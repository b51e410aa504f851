"""A production of 200 items that do next to nothing: 20 services, 40 processes, 140 operations."""

from dataclasses import dataclass

from iop import BusinessOperation, BusinessProcess, BusinessService, Message, Production, handler
from parts.bigstore import OPERATIONS, PROCESSES, SERVICES


@dataclass
class Order(Message):
    text: str = ""


@dataclass
class Receipt(Message):
    text: str = ""


class Service(BusinessService):
    """Sends for code outside the production."""


class Process(BusinessProcess):
    target = ""

    @handler(Order)
    def on_order(self, request: Order) -> Receipt:
        answer: Receipt = self.send_request_sync(self.target, request)
        return answer


class Operation(BusinessOperation):
    @handler(Order)
    def on_order(self, request: Order) -> Receipt:
        return Receipt(f"stored {request.text}")


production = Production("Bench.Many")
for number in range(SERVICES):
    production.service(f"Service {number:03d}", Service)
for number in range(PROCESSES):
    settings = {"%settings": f"target=Operation {number:03d}"}
    production.process(f"Process {number:03d}", Process, settings=settings)
for number in range(OPERATIONS):
    production.operation(f"Operation {number:03d}", Operation)
PRODUCTIONS = [production]
