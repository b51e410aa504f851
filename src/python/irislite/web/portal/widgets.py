"""The portal's own elements: each a small Vue component in `assets`, which shows what it gets as text."""

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

Rows = list[dict[str, Any]]


class _Shown(ui.element):
    """An element that is sent again only when what it shows has changed."""

    def show(self, **props: Any) -> None:
        changed = {name: value for name, value in props.items() if self.props.get(name) != value}
        if changed:
            self.props.update(changed)
            self.update()


class Board(_Shown, component="assets/board.js"):
    """The items in columns: `[{"title", "items": [...]}]`. `on_pick` gets an item's name."""

    def __init__(self, columns: Rows, now: float, selected: str, on_pick: Callable[[str], Any]) -> None:
        super().__init__()
        self.props.update({"columns": columns, "now": now, "selected": selected})

        def pick(event: GenericEventArguments) -> Any:
            return on_pick(str(event.args))

        self.on("pick", pick)


class Diagram(_Shown, component="assets/diagram.js"):
    """A session's columns and arrows. `on_pick` gets a message's id."""

    def __init__(self, columns: Rows, arrows: Rows, selected: int, on_pick: Callable[[int], Any]) -> None:
        super().__init__()
        self.props.update({"columns": columns, "arrows": arrows, "selected": selected})

        def pick(event: GenericEventArguments) -> Any:
            return on_pick(int(event.args))

        self.on("pick", pick)


class LogLines(_Shown, component="assets/log.js"):
    """Event log entries, as `rows.log_row` makes them, with or without their items and links to their sessions."""

    def __init__(self, items: bool = True, links: bool = True, empty: str = "No entries.") -> None:
        super().__init__()
        self.props.update({"entries": [], "items": items, "links": links, "empty": empty})


class MessageRows(_Shown, component="assets/messages.js"):
    """Message headers, as `rows.message_row` makes them."""

    def __init__(self, messages: Rows, empty: str = "No messages.") -> None:
        super().__init__()
        self.props.update({"messages": messages, "empty": empty})


class Tree(_Shown, component="assets/tree.js"):
    """A JSON value as a tree."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.props["value"] = value


class Moment(_Shown, component="assets/moment.js"):
    """A time of the store (UTC), shown in the reader's own zone."""

    def __init__(self, time: str) -> None:
        super().__init__()
        self.props["time"] = zoned(time)


def zoned(time: str) -> str:
    """A time of the store as browsers read it: with its zone."""
    return time.replace(" ", "T") + "Z" if time else ""
