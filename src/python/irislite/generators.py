"""The generators of one pool member that run between messages: started, polled, and forgotten in the end."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from irislite.bridge.objects import Ack, MessageBody, Poll, Start, StartPickle, Stop
from irislite.errors import GeneratorGone
from irislite.header import Header

KEPT = 100  # running generators of one member; nobody polls the ones that were left alone
CLASSES = frozenset(kind.classes[0] for kind in (Start, StartPickle, Poll, Stop))  # the messages a generator gets

Key = tuple[str, int]  # source config name, session id


class Generators:
    """What `send_generator_request` talks to: a generator for each source and session.

    `on_change(source, session_id, running)` is told of every start and end, `warn` gets a
    sentence about a generator that does not end as it should.
    """

    def __init__(self, on_change: Callable[[str, int, bool], None], warn: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._warn = warn
        self._running: OrderedDict[Key, tuple[Any, Any]] = OrderedDict()  # the component and its generator

    def handle(self, header: Header, request: MessageBody | None, component: Callable[[], Any]) -> Any:
        """Answer a message to a generator; `component()` is asked for a component when one starts.

        What the component raises is raised on, and then the generator is gone.
        """
        key = (header.source_config_name, header.session_id)
        if isinstance(request, (Start, StartPickle)):
            return self._start(key, request, component())
        if isinstance(request, Poll):
            return self._poll(key)
        self._end(key)
        return Ack()

    def close(self) -> None:
        """End all of them: their component goes."""
        for key in list(self._running):
            self._end(key)

    def _start(self, key: Key, request: MessageBody, component: Any) -> Any:
        self._end(key)  # `iop` polls without saying which: a new request of the same session replaces the old one
        answer = component._dispatch_generator_started(request)
        # What is only iterable, as a list, has no next value of its own.
        component._gen = generator = iter(component._gen)
        self._running[key] = (component, generator)
        self._on_change(*key, True)
        while len(self._running) > KEPT:
            oldest = next(iter(self._running))
            self._warn(
                f"More than {KEPT} generators are open: the one that waited longest, for session {oldest[1]} of "
                f"{oldest[0]}, is closed. Let callers read their generators to the end."
            )
            self._end(oldest)
        return answer

    def _poll(self, key: Key) -> Any:
        found = self._running.get(key)
        if found is None:
            raise GeneratorGone(
                f"There is no generator for session {key[1]} of {key[0]} any more: the item was restarted, or the "
                "generator was left alone for too long. Send the generator request again."
            )
        component, generator = found
        component._gen = generator
        self._running.move_to_end(key)
        try:
            answer = component._dispatch_generator_poll()
        except BaseException:
            self._end(key)
            raise
        if isinstance(answer, Stop):
            self._end(key)
        return answer

    def _end(self, key: Key) -> None:
        found = self._running.pop(key, None)
        if found is None:
            return
        self._on_change(*key, False)
        try:
            getattr(found[1], "close", lambda: None)()
        except Exception as error:  # noqa: BLE001 - the component's own code, after its last value
            self._warn(f"A generator raised when it was closed: {type(error).__name__}: {error}")
