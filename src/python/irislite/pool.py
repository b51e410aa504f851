"""The workers of one item: threads that take messages, call the component, store what came of it."""

import itertools
import threading
import time
import traceback
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from enum import StrEnum
from functools import partial

from irislite import itemsettings
from irislite.config import Item
from irislite.context import Context, current
from irislite.database import Write
from irislite.duplex import DuplexTurn
from irislite.errors import IllegalMove, Interrupted, StoreError
from irislite.eventlog import EventLog, LogType
from irislite.header import BusinessType, Header
from irislite.host import Host
from irislite.itemsettings import HostSettings, NoReply
from irislite.process import Busy, Turn
from irislite.queues import Queue
from irislite.router import Router
from irislite.store import Entry, now
from irislite.throughput import Throughput
from irislite.views import JobView

# A member may be this many answers ahead of the disk: after a crash they are at most handled again.
AHEAD = 32
NAP_S = 0.001  # how long those answers wait for somebody's commit that takes them along
LOOK_UP_S = 1.0  # how often an idle member looks whether it should stop
RETRY_BUSY_S = 0.01  # before a message is taken again whose process is in other hands
RETRY_STORE_S = 1.0  # before a message is taken again that could not be written
_job_numbers = itertools.count(1)


class PoolState(StrEnum):
    """What the workers of an item do, as operators say it."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    ERROR = "error"


class Pool:
    """`size` members that take messages for one item, or, as the actor pool, for several.

    `host_of(item)` makes a host; every member makes its own for each of `items`. Without a
    queue the item is a service. These are called in the member's thread: `on_error` once with an
    item whose start fails, `after_message` after every message and whatever else the component
    was called for, `on_failure` after a message that ended in error if its item has
    AlertOnError, `on_suspend` with one that is laid aside, `on_disable` with an item that disables
    itself, and why.
    """

    def __init__(
        self,
        name: str,
        size: int,
        queue: Queue | None,
        items: list[Item],
        host_of: Callable[[Item], Host],
        router: Router,
        log: EventLog,
    ) -> None:
        self.name = name
        self._size = size
        self._queue = queue
        self._host_of = host_of
        self.items = items
        self._router = router
        self._log = log
        self._stopping = threading.Event()
        self._settled = threading.Condition()
        self._states: dict[int, PoolState] = {}
        self._threads: list[threading.Thread] = []
        self.errors: dict[str, str] = {}  # item -> why it could not be started
        self.last_activity: dict[str, float] = {}  # item -> seconds since the epoch
        self.processed: Counter[str] = Counter()
        self.throughput: defaultdict[str, Throughput] = defaultdict(Throughput)
        self._jobs: dict[int, int] = {}  # member -> its job number
        self._taken: dict[int, tuple[Header, float]] = {}  # member -> the message it took last, and when
        self.on_error: Callable[[Item], None] = lambda item: None
        self.after_message: Callable[[], None] = lambda: None
        self.on_failure: Callable[[Host, Header | None, str], None] = lambda host, header, text: None
        self.on_suspend: Callable[[Entry], None] = lambda entry: None
        self.on_disable: Callable[[str, str], None] = lambda name, text: None
        self.after: list[threading.Thread] = []  # members of an earlier pool that still work: they come first
        self._interval_s = 0.0
        self._settings: dict[str, HostSettings] = {}
        self._delays_s: dict[str, float] = {}  # of the items that have one

    def start(self) -> None:
        """Start the members; they set up their components in their own threads."""
        for number in range(self._size):
            self._states[number] = PoolState.STARTING
            thread = threading.Thread(
                target=self._run, args=(number,), name=f"irislite-{self.name}-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def settle(self, timeout_s: float) -> None:
        """Wait until every member is up or has failed, at most `timeout_s` seconds."""
        with self._settled:
            self._settled.wait_for(lambda: self.state is not PoolState.STARTING, timeout_s)

    def stop(self, timeout_s: float) -> bool:
        """Let every member finish its message and stop. False if one still works after `timeout_s`."""
        self._stopping.set()
        if self._queue is not None:
            self._queue.wake()
        deadline = time.monotonic() + timeout_s
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not self.threads

    @property
    def threads(self) -> list[threading.Thread]:
        """The members that are alive, but for the one that asks: a component may stop its own item."""
        own = threading.current_thread()
        return [thread for thread in self._threads if thread.is_alive() and thread is not own]

    @property
    def state(self) -> PoolState:
        """The state of the item: in error if one member is, starting while one is."""
        states = set(self._states.values())
        for state in (PoolState.ERROR, PoolState.STARTING, PoolState.RUNNING):
            if state in states:
                return state
        return PoolState.STOPPED

    @property
    def jobs(self) -> list[JobView]:
        """The members, in the order of their numbers: what each does now."""
        claimed = self._queue.claimed if self._queue is not None else frozenset()
        views = []
        for number, state in sorted(self._states.items()):
            taken, since = self._taken.get(number, (None, 0.0))
            at_hand = taken if taken is not None and taken.id in claimed else None
            views.append(
                JobView(
                    job=self._jobs.get(number, 0),
                    state=state,
                    item=at_hand.target_config_name if at_hand is not None else "",
                    message_id=at_hand.id if at_hand is not None else 0,
                    session_id=at_hand.session_id if at_hand is not None else 0,
                    since=since if at_hand is not None else 0.0,
                )
            )
        return views

    # -- a member ------------------------------------------------------------------------

    def _run(self, number: int) -> None:
        context = Context(self.name, next(_job_numbers))
        self._jobs[number] = context.job
        current.set(context)
        for thread in self.after:
            thread.join()
        hosts: dict[str, Host] = {}
        for item in self.items:
            current.set(context._replace(config_name=item.name))
            try:
                host = self._host_of(item)
                self._attach(host, number)
                self._interval_s = itemsettings.call_interval_s(item)
                settings = self._settings[item.name] = itemsettings.read(item, host.kind)
                if settings.throttle_delay_s:
                    self._delays_s[item.name] = settings.throttle_delay_s
                host.start()
            except Interrupted:  # a stop while it was getting ready is no failure
                continue
            except BaseException as error:  # noqa: BLE001 - whatever the component raises, exits too: others go on
                text = f"{type(error).__name__}: {error}"
                is_first = self.errors.setdefault(item.name, text) is text
                self._log.add(
                    LogType.ERROR, f"The start failed: {text}", item.class_name, "OnInit", traceback.format_exc()
                )
                if is_first:  # of the members: one alert is enough
                    self.on_error(item)
            else:
                hosts[item.name] = host
        if not hosts:
            self._move(number, PoolState.ERROR if self.errors else PoolState.STOPPED)
            return
        current.set(context)
        self.after_message()
        self._move(number, PoolState.RUNNING)
        try:
            if self._queue is not None:
                self._take_messages(self._queue, hosts, context, number)
            else:
                self._poll(hosts[self.items[0].name], context)
        finally:
            for name, host in hosts.items():
                current.set(context._replace(config_name=name))
                host.stop()
            if self._queue is not None:
                self._queue.unpin_all(number)
            self._move(number, PoolState.STOPPED)

    def _attach(self, host: Host, member: int) -> None:
        """Tell a host whose it is, before it is started."""
        host.stopping = self._stopping
        if self._queue is not None:
            host.on_generator = partial(_pin, self._queue, member)

    def _move(self, number: int, state: PoolState) -> None:
        with self._settled:
            self._states[number] = state
            self._settled.notify_all()

    def _take_messages(self, queue: Queue, hosts: dict[str, Host], context: Context, member: int) -> None:
        ahead: deque[tuple[Entry, Write]] = deque()
        job = context.job
        while not self._stopping.is_set():
            entry = queue.take(NAP_S if ahead else LOOK_UP_S, member, bool(ahead))
            if entry is None:
                if ahead:
                    self._settle_writes(ahead, 0)
                    continue
                current.set(context)
                for each in hosts.values():
                    each.idle()
                self.after_message()
                continue
            header = entry.header
            target = header.target_config_name
            current.set(Context(target, job, header.id, header.session_id, now()))
            self._note_taken(member, header)
            began = time.monotonic()
            host = hosts.get(target)
            try:
                write = self._work(host, entry, began) if host is not None else self._suspend(entry)
                self.after_message()
            except Interrupted:
                queue.put_back(entry, first=True)
                continue
            except Busy:
                queue.put_back(entry)
                self._stopping.wait(RETRY_BUSY_S)
                continue
            except Exception as error:  # noqa: BLE001 - the store cannot be written: the message waits until it can
                self._hand_back(queue, entry, error)
                self._stopping.wait(RETRY_STORE_S)
                continue
            if write is not None:
                ahead.append((entry, write))
            queue.release(header.id)
            self._note_done(target)
            if header.return_queue_name:  # someone waits for this answer: not for other messages to be handled
                self._settle_writes(ahead, 0)
            elif len(ahead) > AHEAD:
                self._settle_writes(ahead, AHEAD)
            if self._delays_s and (delay_s := self._delays_s.get(target)):
                self._settle_writes(ahead, 0)
                self._stopping.wait(delay_s)
        self._settle_writes(ahead, 0)
        current.set(context)

    def _note_taken(self, member: int, header: Header) -> None:
        self.last_activity[header.target_config_name] = now = time.time()
        self._taken[member] = header, now

    def _note_done(self, item: str) -> None:
        self.processed[item] += 1
        self.throughput[item].count(self.last_activity[item])

    def _settle_writes(self, ahead: deque[tuple[Entry, Write]], most: int) -> None:
        """Wait until answers are on disk, the oldest first, once more than `most` of them are not."""
        if len(ahead) <= most:
            return
        failed = False
        while len(ahead) > most // 2:  # the newer half may go with somebody's next commit
            entry, write = ahead.popleft()
            try:
                write.wait()
            except IllegalMove as error:
                self._log.add(LogType.WARNING, f"{error} Its answer was dropped.", self.name, "complete")
            except Exception as error:  # noqa: BLE001 - the store cannot be written: the message waits until it can
                if self._queue is not None:
                    self._hand_back(self._queue, entry, error)
                    failed = True
        if failed:
            self._stopping.wait(RETRY_STORE_S)

    def _hand_back(self, queue: Queue, entry: Entry, error: Exception) -> None:
        queue.put_back(entry)
        text = f"Message {entry.header.id} could not be completed and is handled again: {error}"
        try:
            self._log.add(LogType.ERROR, text, self.name)
        except StoreError:  # closed: this member outlived the runtime, and the message waits for the next
            self._stopping.set()

    def _work(self, host: Host, entry: Entry, began: float) -> Write | None:
        """Handle one message. The one place where whatever a component raises is caught."""
        if host.kind is BusinessType.PROCESS:
            self._turn(host, entry)
            return None
        try:
            return self._operate(host, entry)
        except (StoreError, Interrupted):  # not the component's fault: the message comes again
            raise
        except BaseException as error:  # noqa: BLE001 - exits too: the item goes on with the next message
            return self._end_failed(host, entry, error, began)

    def _operate(self, host: Host, entry: Entry) -> Write:
        body = host.operate(entry)
        if body is None and self._settings[host.item.name].wants_reply:
            raise NoReply
        return host.router.complete(entry.header, body)

    def _end_failed(self, host: Host, entry: Entry, error: BaseException, began: float) -> Write:
        """Do with a message what its item's ReplyCodeActions say; try it again as long as they ask for it.

        Raises `Interrupted` if the item stops meanwhile, or is disabled for it.
        """
        settings, header, name = self._settings[host.item.name], entry.header, host.component_class.__name__
        actions = settings.actions_on(error)
        while "R" in actions and time.monotonic() - began < settings.failure_timeout_s:
            self._log.add(
                LogType.WARNING,
                f"{type(error).__name__}: {error}. It is tried again in {settings.retry_interval_s:g} s.",
                name, "Retry", "".join(traceback.format_exception(error)),
            )  # fmt: skip
            self.after_message()
            if self._stopping.wait(settings.retry_interval_s):
                raise Interrupted
            try:
                return self._operate(host, entry)
            except (StoreError, Interrupted):
                raise
            except BaseException as again:  # noqa: BLE001 - as in `_work`
                error, actions = again, settings.actions_on(again)
        if "D" in actions:
            if not self._stopping.is_set():  # else it stops for another reason: the message fails again later
                self._disable(host, header, error)
            raise Interrupted
        if "F" not in actions and "S" in actions:
            return self._suspend_failed(host, entry, error)
        if "F" not in actions and actions != "R":
            level = LogType.WARNING if "W" in actions else LogType.INFO
            self._log.add(level, f"Completed in spite of {type(error).__name__}: {error}", name, "ReplyCodeActions")
            return host.router.complete(header, None)
        text = self._told(host, "MessageHeaderHandler", error)
        write = host.router.complete(header, None, text)
        self._alert(host, header, text)
        return write

    def _disable(self, host: Host, header: Header, error: BaseException) -> None:
        """Let every member end, and the item be disabled: the message stays where it was, first in the queue."""
        text = f"{host.item.name} is disabled by its ReplyCodeActions after {type(error).__name__}: {error}"
        stack = "".join(traceback.format_exception(error))
        self._log.add(LogType.ERROR, text, host.component_class.__name__, "ReplyCodeActions", stack)
        self._alert(host, header, text)
        self._stopping.set()
        self.on_disable(host.item.name, text)

    def _suspend_failed(self, host: Host, entry: Entry, error: BaseException) -> Write:
        """Lay a message aside that failed, and tell a caller who waits that there will be no answer."""
        header = entry.header
        text = f"Suspended after {type(error).__name__}: {error}"
        self._log.add(LogType.ERROR, text, host.component_class.__name__, "ReplyCodeActions")
        self.on_suspend(entry)
        write = host.router.suspend(header)
        write.wait()  # who is told reads the message's status
        host.router.refuse_call(
            header.id,
            f"Message {header.id} to {host.item.name} was suspended by its ReplyCodeActions after "
            f"{type(error).__name__}: {error}. Resubmit it, in the portal's messages or by "
            "POST /api/irislite/messages/resubmit, when the cause is gone.",
        )
        return write

    def _alert(self, host: Host, header: Header | None, text: str) -> None:
        if self._settings[host.item.name].alert_on_error:
            self.on_failure(host, header, text)

    def _turn(self, host: Host, entry: Entry) -> None:
        """The same for a process. Raises `Busy` if another member works for it."""
        turn = DuplexTurn(host, entry) if host.is_duplex else Turn(host, entry)
        try:
            turn.run()
        except (Busy, StoreError):
            raise
        except BaseException as error:  # noqa: BLE001 - exits too: the item goes on with the next message
            text = self._told(host, "MessageHeaderHandler", error)
            turn.fail(text)
            self._alert(host, entry.header, text)
        finally:
            turn.close()

    def _told(self, host: Host, method: str, error: BaseException) -> str:
        """Write what a component raised into the log; return it as a sentence."""
        text = f"{type(error).__name__}: {error}"
        stack = "".join(traceback.format_exception(error))
        self._log.add(LogType.ERROR, text, host.component_class.__name__, method, stack)
        return text

    def _suspend(self, entry: Entry) -> Write:
        """Lay a message aside whose item does not run in this pool any more: it is not lost."""
        header = entry.header
        self._log.add(
            LogType.WARNING, f"{header.target_config_name} does not run: the message is suspended.", self.name
        )
        text = f"{header.target_config_name} does not run."
        self._router.refuse_waiting(header.target_config_name, text)
        self.on_suspend(entry)
        return self._router.suspend(header)

    def _poll(self, host: Host, context: Context) -> None:
        """Call a polling service every `CallInterval` seconds; other services only wait to be called."""
        while not self._stopping.is_set():
            host.instance._wait_for_next_call_interval = True  # a component that has more to fetch says False
            if host.is_polled:
                self._call(host, context)
            if host.instance._wait_for_next_call_interval:
                self._stopping.wait(self._interval_s)

    def _call(self, host: Host, context: Context) -> None:
        """Call a service for input, once."""
        self.last_activity[self.name] = time.time()
        try:
            host.poll()
            self._note_done(self.name)
        except BaseException as error:  # noqa: BLE001 - exits too: the service is called again
            self._alert(host, None, self._told(host, "OnProcessInput", error))
        self.after_message()
        self._stopping.wait(self._delays_s.get(self.name, 0.0))
        current.set(context)


def _pin(queue: Queue, member: int, source: str, session_id: int, running: bool) -> None:
    """While a generator runs, its polls go to the member that has it."""
    if running:
        queue.pin(source, session_id, member)
    else:
        queue.unpin(source, session_id, member)
