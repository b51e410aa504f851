"""The workers of a duplex service or operation: each takes messages, and is called for input between them."""

import time

from irislite.context import Context, current
from irislite.database import Write
from irislite.duplex import POLL, STOP, DuplexHost
from irislite.errors import IllegalMove, Interrupted
from irislite.eventlog import LogType
from irislite.host import Host
from irislite.pool import LOOK_UP_S, Pool
from irislite.queues import Queue
from irislite.sessionqueue import SessionQueue
from irislite.store import Entry, now


class DuplexPool(Pool):
    """A pool whose members can be in private sessions; so many sessions at a time as it has members."""

    def _attach(self, host: Host, member: int) -> None:
        super()._attach(host, member)
        if isinstance(host, DuplexHost) and isinstance(self._queue, SessionQueue):
            host.session.join(self._queue, member)

    def _take_messages(self, queue: Queue, hosts: dict[str, Host], context: Context, member: int) -> None:
        host, due = hosts[self.name], time.monotonic()
        while not self._stopping.is_set():
            wait_s = LOOK_UP_S
            if host.is_polled:
                if time.monotonic() >= due:
                    host.instance._wait_for_next_call_interval = True  # as in `_poll`
                    self._call(host, context)
                    due = time.monotonic() + (self._interval_s if host.instance._wait_for_next_call_interval else 0.0)
                wait_s = min(LOOK_UP_S, max(0.0, due - time.monotonic()))
            entry = queue.take(wait_s, member)
            if entry is not None:
                self._handle(queue, host, entry, context, member)
            current.set(context)
            if entry is None:
                host.idle()

    def _handle(self, queue: Queue, host: Host, entry: Entry, context: Context, member: int) -> None:
        header = entry.header
        current.set(Context(self.name, context.job, header.id, header.session_id, now()))
        self._note_taken(member, header)
        began = time.monotonic()
        try:
            write = self._work(host, entry, began)
            if write is not None:
                write.wait()
            self.after_message()
        except Interrupted:
            queue.put_back(entry, first=True)
            return
        except IllegalMove as error:
            self._log.add(LogType.WARNING, f"{error} Its answer was dropped.", self.name, "complete")
        except Exception as error:  # noqa: BLE001 - the store cannot be written: the message waits until it can
            self._hand_back(queue, entry, error)
            return
        queue.release(header.id)
        self._note_done(self.name)
        self._stopping.wait(self._delays_s.get(self.name, 0.0))

    def _operate(self, host: Host, entry: Entry) -> Write:
        if entry.header.message_body_class_name == STOP:  # nobody is to answer it
            return host.router.complete(entry.header, host.operate(entry))
        return super()._operate(host, entry)

    def _work(self, host: Host, entry: Entry, began: float) -> Write | None:
        if isinstance(host, DuplexHost) and entry.header.message_body_class_name == POLL:
            host.session.poll(entry.header)
            return None
        return super()._work(host, entry, began)
