"""What operators do with messages: resend, suspend, resubmit, discard, abort."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from typing import NamedTuple

from irislite import bodytext
from irislite.context import Context, current
from irislite.errors import BadRequest, IllegalMove, IrisliteError
from irislite.eventlog import EventLog, LogType
from irislite.header import FINISHED, Body, Draft, Header, MessageType, Status
from irislite.masking import MASK, masked
from irislite.router import SYNC_QUEUE, Router
from irislite.store import Entry, Store

GIVEN_UP = (Status.ABORTED, Status.DISCARDED)
BATCH = 1_000  # messages of a queue that are aborted in one transaction


class Outcome(NamedTuple):
    """What became of one message: done, or the reason why not. `new_id` is the id of a resent one."""

    id: int
    done: bool
    reason: str = ""
    new_id: int = 0


class MessageLife:
    """Acts on messages one by one: a failure stops none of the others. `by` says in the log who asks."""

    def __init__(self, store: Store, router: Router, log: EventLog) -> None:
        self._store = store
        self._router = router
        self._log = log
        self._secrets: dict[int, Body] = {}  # of suspended messages: what the store holds of these is masked

    def resend(
        self, header_ids: Iterable[int], target: str = "", content: str | None = None, by: str = ""
    ) -> list[Outcome]:
        """Send requests again, in their sessions; to another target, or with another JSON body, if named."""

        def resend(header: Header) -> tuple[int, str]:
            entry = self._resend(header, target or header.target_config_name, content)
            edited = "" if content is None else ", edited"
            return entry.header.id, f"was resent to {entry.header.target_config_name} as {entry.header.id}{edited}"

        return self._each(header_ids, by, resend)

    def suspend(self, header_ids: Iterable[int], by: str = "") -> list[Outcome]:
        """Lay messages aside that wait in a queue."""
        return self._each(header_ids, by, lambda header: self._end(header, Status.SUSPENDED, by))

    def resubmit(self, header_ids: Iterable[int], target: str = "", by: str = "") -> list[Outcome]:
        """Put suspended messages back into the queue of their target, or of another."""

        def resubmit(header: Header) -> tuple[int, str]:
            self._resubmit(header, target or header.target_config_name)
            return 0, f"was resubmitted to {target or header.target_config_name}"

        return self._each(header_ids, by, resubmit)

    def discard(self, header_ids: Iterable[int], by: str = "") -> list[Outcome]:
        """Give up suspended messages."""

        def discard(header: Header) -> tuple[int, str]:
            if header.status is not Status.SUSPENDED:
                raise _illegal(header, "discarded")
            return self._end(header, Status.DISCARDED, by)

        return self._each(header_ids, by, discard)

    def abort(self, header_ids: Iterable[int], by: str = "") -> list[Outcome]:
        """Give up messages that are queued, suspended or deferred."""
        return self._each(header_ids, by, lambda header: self._end(header, Status.ABORTED, by))

    def abort_queue(self, queue_name: str, target: str, by: str = "") -> int:
        """Give up all that waits for a target. Returns how many that were."""
        ids = self._store.waiting(queue_name, target)
        count = sum(len(self._move(ids[at : at + BATCH], Status.ABORTED, by)) for at in range(0, len(ids), BATCH))
        self._log.add(LogType.WARNING, f"The queue of {target} was aborted{_by(by)}: {count} messages.", "MessageLife")
        return count

    def keep_secrets(self, entry: Entry) -> None:
        """Keep of a message what the store has masked, because its item lays it aside: it may be resubmitted."""
        if entry.body is not None and masked(entry.body.content) != entry.body.content:
            self._secrets[entry.header.id] = entry.body

    def suspend_calls(self) -> int:
        """Lay aside the synchronous requests that still wait, and tell their callers: the production stops."""
        moved = self._move(self._store.waiting_for_callers(SYNC_QUEUE), Status.SUSPENDED, "")
        return len(moved)

    # -- inside ------------------------------------------------------------------------------

    def _each(self, header_ids: Iterable[int], by: str, act: Callable[[Header], tuple[int, str]]) -> list[Outcome]:
        outcomes = []
        for header_id in dict.fromkeys(header_ids):
            try:
                header = self._store.header(header_id)
                new_id, words = act(header)
            except IrisliteError as error:
                outcomes.append(Outcome(header_id, False, str(error)))
                continue
            context = current.set(Context(header.target_config_name, 0, header.id, header.session_id))
            self._log.add(LogType.INFO, f"Message {header_id} {words}{_by(by)}.", "MessageLife")
            current.reset(context)
            outcomes.append(Outcome(header_id, True, "", new_id))
        return outcomes

    def _resend(self, header: Header, target: str, content: str | None) -> Entry:
        if header.type is not MessageType.REQUEST:
            raise BadRequest(f"Message {header.id} is a response: only requests can be resent. Choose its request.")
        body = self._store.body(header.message_body_id) if header.message_body_id else None
        if content is not None:
            body = _edited(header, body, content)
        _check_secrets(header, body)
        address = self._router.address(target, waits=False)
        draft = Draft(
            target_config_name=target,
            target_queue_name=address.queue.name,
            source_config_name=header.source_config_name,
            body=body,
            session_id=header.session_id,
            source_business_type=header.source_business_type,
            target_business_type=address.business_type,
            description=f"Resent from message {header.id}",
            body_id=header.message_body_id if content is None else 0,
            body_class_name=header.message_body_class_name if content is None else "",
        )

        def apply(connection: sqlite3.Connection) -> list[Entry]:
            self._store.require(connection, header.id)  # a purge may have come between: its body would be gone
            return [self._store.insert(connection, draft)]

        return self._router.write(apply)[0]

    def _resubmit(self, header: Header, target: str) -> None:
        if header.status is not Status.SUSPENDED:
            raise _illegal(header, "resubmitted")
        secret = self._secrets.get(header.id)
        if secret is None:
            _check_secrets(header, self._store.body(header.message_body_id) if header.message_body_id else None)
        address = self._router.address(target, waits=False)
        again = header._replace(
            status=Status.QUEUED,
            target_config_name=target,
            target_queue_name=address.queue.name,
            target_business_type=address.business_type,
        )
        queue = address.queue
        queue.withhold(header.id)

        def apply(connection: sqlite3.Connection) -> list[Entry]:
            self._store.requeue(connection, again)
            return []

        try:
            self._router.write(apply)
        except BaseException:
            queue.forget(header.id)
            raise
        queue.put_again(Entry(again, secret, secret is not None))
        self._secrets.pop(header.id, None)

    def _end(self, header: Header, new: Status, by: str) -> tuple[int, str]:
        """Move one message that nobody works on."""
        word = new.name.lower()
        if header.status is not Status.QUEUED:
            if new is Status.SUSPENDED:
                raise _illegal(header, word)
            self._move_rest(header, new, by)
        elif not self._move([header.id], new, by):
            raise IllegalMove(
                f"Message {header.id} cannot be {word}: a pool member works on it. Wait until it is done."
            )
        return 0, f"was {word}"

    def _move(self, header_ids: list[int], new: Status, by: str) -> list[int]:
        """Take messages out of their queues and write a status. Returns the ids of those that were there."""
        removed: list[Entry] = []
        for header in [self._store.header(header_id) for header_id in header_ids]:  # all are there, or none is moved
            entry = self._router.queue(header.target_queue_name).remove(header)
            if entry is not None:
                removed.append(entry)
        if not removed:
            return []
        for entry in removed:
            if new is Status.SUSPENDED and entry.body is not None:
                self._secrets[entry.header.id] = entry.body
        try:
            self._write([entry.header for entry in removed], new, by)
        except BaseException:
            for entry in removed:
                self._secrets.pop(entry.header.id, None)
                self._router.queue(entry.header.target_queue_name).put_again(entry)
            raise
        for entry in removed:
            self._router.queue(entry.header.target_queue_name).forget(entry.header.id)
        return [entry.header.id for entry in removed]

    def _move_rest(self, header: Header, new: Status, by: str) -> None:
        """The same for a message that is in no queue."""
        self._write([header], new, by)
        self._secrets.pop(header.id, None)

    def _write(self, headers: list[Header], new: Status, by: str) -> None:
        """Write the status and tell whoever waits for an answer: a caller at once, a process by a message."""
        word = new.name.lower()

        def text(header: Header) -> str:
            return f"Message {header.id} to {header.target_config_name} was {word}{_by(by)}: send it again if needed."

        def apply(connection: sqlite3.Connection) -> list[Entry]:
            answers = []
            for header in headers:
                self._store.move(connection, header.id, new)
                by_message = header.return_queue_name and not header.return_queue_name.startswith(SYNC_QUEUE)
                if by_message and new is not Status.SUSPENDED:
                    answer = self._router.answer_to(header, None, text(header))
                    if answer is not None:
                        answers.append(self._store.answer(connection, header.id, answer))
            return answers

        self._router.write(apply)
        for header in headers:
            self._router.refuse_call(header.id, text(header))


def suspend_lost_calls(store: Store, log: EventLog) -> None:
    """Lay aside synchronous requests whose callers ended with an earlier process, before queues are built."""
    lost = store.waiting_for_callers(SYNC_QUEUE)
    if lost:
        store.suspend(lost)
        text = f"{len(lost)} synchronous requests had lost their callers and were suspended: resubmit or discard them."
        log.add(LogType.WARNING, text, "MessageLife", "suspend_lost_calls")


def _edited(header: Header, body: Body | None, content: str) -> Body:
    if body is None:
        raise BadRequest(f"Message {header.id} has no body that could be edited: resend it as it is.")
    if not body.content.lstrip().startswith("{"):
        raise BadRequest(f"The body of message {header.id} is no JSON and cannot be edited: resend it as it is.")
    return Body(
        body.class_name, body.classname, bodytext.stored(content, "The edited body", "Correct it and resend it.")
    )


def _check_secrets(header: Header, body: Body | None) -> None:
    """Raise `BadRequest` for a body whose secrets are gone: its target would get the mask for them."""
    if body is None or MASK not in body.content:
        return
    try:
        masked = _has_mask(json.loads(body.content))
    except ValueError:  # a pickle's text is not masked
        masked = False
    if masked:
        raise BadRequest(
            f"Message {header.id} had secrets, which are not stored: edit them in where it says {MASK}, and resend it."
        )


def _has_mask(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_mask, value.values()))
    if isinstance(value, list):
        return any(map(_has_mask, value))
    return value == MASK


def _illegal(header: Header, word: str) -> IllegalMove:
    return IllegalMove(f"Message {header.id} is {header.status.name.title()} and cannot be {word}: {_advice(header)}.")


def _advice(header: Header) -> str:
    """What to do with a message that is not as it must be."""
    if header.status is Status.QUEUED:
        return "it waits in its queue; suspend it first"
    if header.status is Status.SUSPENDED:
        return "it is laid aside already; resubmit or discard it"
    if header.status not in FINISHED:
        return "it is worked on; wait until it is done"
    if header.type is MessageType.RESPONSE:
        return "it is finished; resend its request if the answer is needed again"
    return "it is given up already; resend it if needed" if header.status in GIVEN_UP else "it is finished; resend it"


def _by(who: str) -> str:
    return f" by {who}" if who else ""
