"""The portal's own elements: each a small Vue component in `assets`, which shows what it gets as text."""

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from irislite.web.portal.snapshot import Snapshot

Rows = list[dict[str, Any]]


class _Shown(ui.element):
    """An element that is sent again only when what it shows has changed."""

    def show(self, **props: Any) -> None:
        # A tuple is kept as it is; NiceGUI would copy a list, and all that is in it, to watch over changes.
        kept = {name: tuple(value) if isinstance(value, list) else value for name, value in props.items()}
        changed = {name: value for name, value in kept.items() if self.props.get(name) != value}
        if changed:
            self.props.update(changed)
            self.update()


class Board(_Shown, component="assets/board.js"):
    """The items in columns, and `links`, pairs of names: who sends to whom.

    `on_pick` gets an item's name, or nothing for the key that closes.
    """

    def __init__(self, snapshot: Snapshot, now: float, on_pick: Callable[[str], Any]) -> None:
        super().__init__()
        self._shown = snapshot
        self.show(columns=snapshot.columns, links=(), now=now, selected="")

        def pick(event: GenericEventArguments) -> Any:
            return on_pick(str(event.args))

        self.on("pick", pick)

    def follow(self, snapshot: Snapshot) -> None:
        """Show what has become of the items: as long as they are the same ones, only those that changed travel."""
        before, self._shown = self._shown, snapshot
        if snapshot is before:
            return
        change = snapshot.since(before)
        if change is None:
            self.show(columns=snapshot.columns)
        else:
            self._keep(columns=snapshot.columns)
            self.run_method("change", change)

    def connect(self, links: list[tuple[str, str]]) -> None:
        """Draw who sends to whom."""
        self._keep(links=tuple(links))
        self.run_method("connect", links)

    def select(self, name: str) -> None:
        """Mark the card of the item that is open at the side; no name for none."""
        self._keep(selected=name)
        self.run_method("select", name)

    def _keep(self, **props: Any) -> None:
        """For when all is sent again: the page is told what is different, which is a small part of it."""
        with self.props.suspend_updates():
            self.props.update(props)


class Table(_Shown, component="assets/table.js"):
    """Rows with columns of their own, `(name, label, kind)`; a row is a mapping with an `id`.

    A value is a text, or a mapping as `assets/table.js` says. `actions` are buttons of each row, `(name, label, icon,
    kind)`: `on_act` gets the action's name and the row's id. A row with `fixed` has none.
    """

    def __init__(
        self,
        caption: str,
        columns: list[tuple[str, str, str]],
        rows: Rows,
        empty: str,
        actions: list[tuple[str, str, str, str]] | None = None,
        on_act: Callable[[str, Any], Any] = lambda action, row: None,
    ) -> None:
        super().__init__()
        self.props.update({
            "caption": caption, "rows": rows, "empty": empty,
            "columns": [{"name": name, "label": label, "kind": kind} for name, label, kind in columns],
            "actions": [
                {"name": name, "label": label, "icon": icon, "kind": kind} for name, label, icon, kind in actions or []
            ],
        })  # fmt: skip

        def act(event: GenericEventArguments) -> Any:
            action, row = event.args
            return on_act(str(action), row)

        self.on("act", act)


class Diagram(_Shown, component="assets/diagram.js"):
    """A session's columns and arrows, and `notes` between them. `on_pick` gets a message's id."""

    def __init__(self, selected: int, on_pick: Callable[[int], Any]) -> None:
        super().__init__()
        self.props.update({"columns": [], "arrows": [], "notes": [], "selected": selected})

        def pick(event: GenericEventArguments) -> Any:
            return on_pick(int(event.args))

        self.on("pick", pick)


class LogLines(_Shown, component="assets/log.js"):
    """Event log entries, as `rows.log_row` makes them, with or without their items and links to their sessions."""

    def __init__(self, items: bool = True, links: bool = True, empty: str = "No entries.") -> None:
        super().__init__()
        self.props.update({"entries": [], "items": items, "links": links, "empty": empty})


class Timeline(_Shown, component="assets/timeline.js"):
    """A session's requests as bars over its time. `on_pick` gets a message's id."""

    def __init__(self, selected: int, on_pick: Callable[[int], Any]) -> None:
        super().__init__()
        self.props.update({"bars": [], "total": 0.0, "selected": selected})

        def pick(event: GenericEventArguments) -> Any:
            return on_pick(int(event.args))

        self.on("pick", pick)


class LogGroupRows(_Shown, component="assets/groups.js"):
    """Groups of log entries, as `rows.group_row` makes them. `on_show` gets a group's place in the list."""

    def __init__(self, on_show: Callable[[int], Any], empty: str) -> None:
        super().__init__()
        self.props.update({"groups": [], "empty": empty})

        def show(event: GenericEventArguments) -> Any:
            return on_show(int(event.args))

        self.on("show", show)


class MessageRows(_Shown, component="assets/messages.js"):
    """Message headers, as `rows.message_rows` makes them.

    With `on_choose` they can be chosen: it gets the ids that are; `on_open` the id of the one whose body is asked for.
    """

    def __init__(
        self,
        messages: Rows,
        empty: str = "No messages.",
        on_choose: Callable[[list[int]], Any] | None = None,
        on_open: Callable[[int], Any] = lambda message_id: None,
    ) -> None:
        super().__init__()
        self.props.update({"messages": messages, "empty": empty, "choosable": on_choose is not None, "chosen": []})

        def choose(event: GenericEventArguments) -> Any:
            return on_choose([int(message_id) for message_id in event.args]) if on_choose is not None else None

        def open_one(event: GenericEventArguments) -> Any:
            return on_open(int(event.args))

        self.on("choose", choose)
        self.on("open", open_one)


class Copy(_Shown, component="assets/copy.js"):
    """A button that copies: what `url` of this server answers, or, without one, the page's address."""

    def __init__(self, label: str, url: str = "") -> None:
        super().__init__()
        self.props.update({"label": label, "url": url, "text": ""})


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


class Grid(_Shown, component="assets/grid.js"):
    """A table of plain values. `first` numbers the rows from there on; `nothing` stands for None."""

    def __init__(self, caption: str, empty: str = "No rows.", nothing: str = "–") -> None:
        super().__init__()
        self.props.update(
            {"caption": caption, "columns": [], "rows": [], "first": 0, "nothing": nothing, "empty": empty}
        )
        self.props["headed"] = False

    def fill(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], first: int = 0) -> "Grid":
        """Show these rows; a value is None, a number or a text."""
        self.show(columns=list(columns), rows=[list(row) for row in rows], first=first)
        return self
