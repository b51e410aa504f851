"""One component instance of one pool member: made, set up, called, torn down as IRIS does."""

import traceback
from typing import Any

from irislite.bridge import components
from irislite.bridge.handles import Handle
from irislite.bridge.objects import to_body, to_object
from irislite.config import Item
from irislite.eventlog import EventLog, LogType
from irislite.header import Body, BusinessType
from irislite.productions import Component
from irislite.router import Router, Sender
from irislite.store import Entry, Store


class Host:
    """A component and its handle. One thread uses it at a time."""

    def __init__(
        self, item: Item, registered: dict[str, Component], router: Router, store: Store, log: EventLog
    ) -> None:
        self.item = item
        self.log = log
        self.router = router
        self.store = store
        self.component_class = components.load(item, registered)
        self.kind = components.kind(self.component_class)
        self.sender = Sender(item.name, self.kind)
        self.instance: Any = None

    def start(self) -> None:
        """Make the component ready for messages. What its `on_init` raises is raised on.

        A process gets a fresh instance for every message, with its persistent properties;
        here one is made to find out whether it can be started at all.
        """
        self.instance = self.build(Handle(self.sender, self.router))
        self.connect(self.instance)
        self.init(self.instance)

    def build(self, handle: Handle) -> Any:
        """An instance with its handle and settings, before `on_init`."""
        instance = components.build(self.component_class)
        handle.component = instance
        instance._set_iris_handles(handle, None)
        for problem in components.apply_settings(instance, self.item):
            self.log.add(LogType.WARNING, problem, self.component_class.__name__, "OnInit")
        return instance

    def connect(self, instance: Any) -> None:
        """Tell an instance that it is connected; a failure is a warning, as on IRIS."""
        try:
            instance._dispatch_on_connected(instance.iris_handle)
        except Exception as error:  # noqa: BLE001 - the component's own code
            self.log.add(
                LogType.WARNING, f"on_connected failed: {error}", self.component_class.__name__, "on_connected",
                traceback.format_exc(),
            )  # fmt: skip

    def init(self, instance: Any) -> None:
        """Initialise an instance; what its `on_init` raises is raised on."""
        instance._dispatch_on_init(instance.iris_handle)

    def stop(self) -> None:
        """Tear the component down; a failure is logged, the stop goes on."""
        if self.instance is None:
            return
        try:
            self.instance._dispatch_on_tear_down(self.instance.iris_handle)
        except Exception as error:  # noqa: BLE001 - the component's own code
            self.log.add(
                LogType.ERROR, f"on_tear_down failed: {error}", self.component_class.__name__, "on_tear_down",
                traceback.format_exc(),
            )  # fmt: skip
        self.instance = None

    def body_of(self, entry: Entry) -> Body | None:
        """The body of a queued message; a large one is read only now."""
        if entry.body is None and entry.header.message_body_id:
            return self.store.body(entry.header.message_body_id)
        return entry.body

    def operate(self, entry: Entry) -> Body | None:
        """Let an operation handle a request; what it raises is raised on."""
        self.instance.iris_handle.session_id = entry.header.session_id
        request = to_object(self.body_of(entry), entry.header.message_body_id)
        return to_body(self.instance._dispatch_on_message(request))

    def process_input(self, value: Any = None) -> Any:
        """Let a service handle one input, in a session of its own."""
        self.instance.iris_handle.session_id = 0
        return self.instance._dispatch_on_process_input(value)

    @property
    def is_polled(self) -> bool:
        """Whether the runtime calls the service by itself, again and again."""
        return self.kind is BusinessType.SERVICE and self.component_class.get_adapter_type() == "Ens.InboundAdapter"
