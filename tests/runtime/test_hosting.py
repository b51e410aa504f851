"""The order in which items stop."""

from irislite.header import BusinessType

COMPONENTS = """
from iop import BusinessOperation, BusinessProcess, BusinessService


class Door(BusinessService):
    def on_tear_down(self):
        self.log_info("down")


class Plan(BusinessProcess):
    def on_tear_down(self):
        self.log_info("down")


class Echo(BusinessOperation):
    def on_tear_down(self):
        self.log_info("down")
"""
ITEMS = """
p.operation("Echo", c.Echo)
p.process("Actor", c.Plan, pool_size=0)
p.service("Door", c.Door)
p.process("Plan", c.Plan)
p.operation("Other", c.Echo)
"""


def test_services_stop_before_processes_and_all_processes_before_operations(run_production) -> None:
    director = run_production(COMPONENTS, ITEMS)
    kinds = {item.name: item.kind for item in director.items()}
    director.stop()
    director.flush()
    stopped = [entry.config_name for entry in reversed(director.eventlog.newest(50)) if entry.text == "down"]
    assert set(stopped) == set(kinds)  # the shared pool has two members, and each has its own Actor
    assert [kinds[name] for name in stopped] == sorted(kinds[name] for name in stopped)
    assert kinds["Actor"] is BusinessType.PROCESS
