"""One component instance of one pool member: made, set up, called, torn down as IRIS does it."""

import threading
import traceback
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

from irislite.adapter import Adapter
from irislite.bridge import components
from irislite.bridge.handles import GeneratorHandle, Handle
from irislite.bridge.objects import MessageHeader, to_body, to_object
from irislite.config import Item
from irislite.eventlog import EventLog, LogType
from irislite.generators import CLASSES, Generators
from irislite.header import Body, BusinessType
from irislite.productions import Component
from irislite.router import Router, Sender
from irislite.store import Entry, Store

LIVING = 1_000  # instances of business processes that are kept between their messages


class Instances:
    """The components of business processes that wait for answers, so that the next message finds them.

    They may be gone: after a restart, or when there are too many. Then a new one is made from
    the process's persistent properties.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._living: OrderedDict[int, tuple[str, Any]] = OrderedDict()
        # Two messages for one process are handled one after the other, whichever pool members take them.
        self.locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    def keep(self, process_id: int, config_name: str, instance: Any) -> None:
        """Keep a component until the process's next message."""
        with self._lock:
            self._living[process_id] = config_name, instance
            if len(self._living) > LIVING:
                self._living.popitem(last=False)

    def take(self, process_id: int) -> Any:
        """The component of a process, or None; who takes it has it alone."""
        with self._lock:
            return self._living.pop(process_id, ("", None))[1]

    def forget(self, config_name: str) -> None:
        """Drop an item's: its settings may be others when it comes back."""
        with self._lock:
            for process_id in [key for key, (name, _) in self._living.items() if name == config_name]:
                del self._living[process_id]


class Host:
    """A component and its handle. One thread uses it at a time.

    `on_generator(source, session_id, running)` is told when a generator starts or ends: until
    then the polls of that session must come to this host and no other.
    """

    def __init__(
        self,
        item: Item,
        registered: dict[str, Component],
        router: Router,
        store: Store,
        log: EventLog,
        instances: Instances,
    ) -> None:
        self.item = item
        self.log = log
        self.router = router
        self.store = store
        self.instances = instances
        self.component_class = components.load(item, registered)
        self.kind = components.kind(self.component_class)
        self.is_duplex = components.is_duplex(self.component_class)
        self.sender = Sender(item.name, self.kind)
        self.instance: Any = None
        self.on_generator: Callable[[str, int, bool], None] = lambda source, session_id, running: None
        self.stopping = threading.Event()  # set by the pool, for what the component waits for
        self._adapter_class = components.adapter(self.component_class, registered)
        self._adapter: Adapter | None = None
        self._generators = Generators(
            lambda source, session_id, running: self.on_generator(source, session_id, running),
            lambda text: self._warn(text, "generator"),
        )

    def start(self) -> None:
        """Make the component ready for messages. What its `on_init` raises is raised on.

        A process gets an instance of its own for every request; here one is made to find out
        whether it can be started at all.
        """
        handle = self.new_handle()
        handle.failed, handle.stopping = self.failed, self.stopping
        self.instance = self.build(handle)
        if self._adapter_class is not None:
            self._start_adapter(handle)
        try:
            self.connect(self.instance)
            self.init(self.instance)
            components.refuse_persistent(self.instance)
        except BaseException:  # the adapter is up, and would keep its port or file from the next start
            self._stop_adapter()
            raise

    def new_handle(self) -> Handle:
        """What the component calls."""
        return Handle(self.sender, self.router)

    def build(self, handle: Handle) -> Any:
        """An instance with its handle and settings, before `on_init`."""
        instance = components.build(self.component_class)
        handle.component = instance
        instance._set_iris_handles(handle, None)
        problems = components.apply_settings(instance, self.item)
        for problem in problems if self.instance is None else []:  # told at the start; not again for each message
            self._warn(problem, "OnInit")
        return instance

    def connect(self, instance: Any) -> None:
        """Tell an instance that it is connected; a failure is a warning, as on IRIS."""
        try:
            instance._dispatch_on_connected(instance.iris_handle)
        except Exception as error:  # noqa: BLE001 - the component's own code
            self._warn(f"on_connected failed: {error}", "on_connected", traceback.format_exc())

    def init(self, instance: Any) -> None:
        """Initialise an instance; what its `on_init` raises is raised on."""
        instance._dispatch_on_init(instance.iris_handle)

    def stop(self) -> None:
        """Tear the component down; a failure is logged, the stop goes on."""
        self._generators.close()
        self.instances.forget(self.item.name)
        if self.instance is None:
            return
        handle, self.instance = self.instance.iris_handle, None
        self._tear_down(lambda: handle.component._dispatch_on_tear_down(handle))
        self._stop_adapter()

    def body_of(self, entry: Entry) -> Body | None:
        """The body of a queued message; a large one is read only now."""
        if entry.body is None and entry.header.message_body_id:
            return self.store.body(entry.header.message_body_id)
        return entry.body

    def operate(self, entry: Entry) -> Body | None:
        """Let an operation handle a request; what it raises is raised on."""
        header = entry.header
        self.instance.iris_handle.session_id = header.session_id
        self.instance.iris_handle._RequestHeader = MessageHeader(header)
        if self._adapter is not None:
            self._adapter.use()
        if header.message_body_class_name in CLASSES:
            return self.generate(entry)
        request = to_object(self.body_of(entry), header.message_body_id)
        return to_body(self.instance._dispatch_on_message(request))

    def generate(self, entry: Entry) -> Body | None:
        """Let an operation's or a process's generator handle its message; what it raises is raised on."""
        header = entry.header
        request = to_object(self.body_of(entry), header.message_body_id)
        return to_body(self._generators.handle(header, request, lambda: self._generating(header.session_id)))

    def process_input(self, value: Any = None) -> Any:
        """Let a service handle one input, in a session of its own."""
        return self.instance.iris_handle.dispatchProcessInput(value)

    def poll(self) -> None:
        """Let a polled service, or its adapter, look for input; what it raises is raised on."""
        if self._adapter is None:
            self.process_input()
        else:
            self.instance.iris_handle.session_id = 0
            self._adapter.instance.on_task()

    def idle(self) -> None:
        """Give the adapter and then the operation their sign of life, if it is time; a failure is logged."""
        if self._adapter is None or not self._adapter.is_due:
            return
        self._adapter.use()
        try:
            self._adapter.instance.on_keepalive()
            self.instance.on_keepalive()
        except Exception as error:  # noqa: BLE001 - the component's own code
            self.failed("on_keepalive", error)

    @property
    def is_polled(self) -> bool:
        """Whether the runtime calls the service by itself, again and again."""
        if self.kind is not BusinessType.SERVICE:
            return False
        return self._adapter is not None or self.component_class.get_adapter_type() == "Ens.InboundAdapter"

    def failed(self, method: str, error: BaseException) -> None:
        """Write into the log what a component raised where nobody can be told."""
        self.log.add(
            LogType.ERROR, f"{method} failed: {type(error).__name__}: {error}", self.component_class.__name__, method,
            "".join(traceback.format_exception(error)),
        )  # fmt: skip

    # -- inside ------------------------------------------------------------------------------

    def _stop_adapter(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            self._tear_down(adapter.stop)

    def _tear_down(self, tear_down: Callable[[], Any]) -> None:
        try:
            tear_down()
        except Exception as error:  # noqa: BLE001 - the component's own code
            self.failed("on_tear_down", error)

    def _start_adapter(self, handle: Handle) -> None:
        self._adapter = adapter = Adapter(self._adapter_class, self.item, handle)
        handle.Adapter = adapter.handle
        # IRIS gives the component a second, bare instance; here it has the one that works.
        self.instance.Adapter = self.instance.adapter = adapter.instance
        for problem in adapter.problems:
            self._warn(problem, "OnInit")
        self.connect(adapter.instance)
        self.init(adapter.instance)

    def _generating(self, session_id: int) -> Any:
        """The component that runs a generator: a process's lives as long as the generator does."""
        if self.kind is not BusinessType.PROCESS:
            return self.instance
        handle = GeneratorHandle(self.sender, self.router)
        handle.session_id = session_id
        instance = self.build(handle)
        self.connect(instance)
        self.init(instance)
        return instance

    def _warn(self, text: str, method: str, stack: str = "") -> None:
        self.log.add(LogType.WARNING, text, self.component_class.__name__, method, stack)
