"""What an operator does with messages that are chosen in a list: resend, edit, resubmit, suspend, discard, abort."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from nicegui import ui

from irislite import bodytext
from irislite.actor import Role, acting
from irislite.errors import BadRequest
from irislite.messagelife import Outcome
from irislite.web import blocking
from irislite.web.bodyview import parsed
from irislite.web.portal.controls import button, confirmed, notice, text, told
from irislite.web.portal.layout import Portal

MOST_REASONS = 20
_SAME = "(the same)"
_ACTS = {
    "suspend": ("pause_circle", "Suspend", "They are laid aside, out of their queues, until they are resubmitted."),
    "discard": ("delete", "Discard", "Suspended messages are given up for good."),
    "abort": ("block", "Abort", "Messages that wait are given up; whoever waits for an answer is told so."),
}


class MessageActs:
    """A bar of buttons for chosen messages. `on_choose` is told which are, `changed` that something was done."""

    def __init__(self, portal: Portal, items: list[str], changed: Callable[[], Awaitable[None]]) -> None:
        self._portal = portal
        self._items = items
        self._changed = changed
        self.on_choose: Callable[[list[int]], None] = lambda ids: None
        self._chosen: list[int] = []
        self._bar = (
            ui.element("div").classes("acts-bar").props('role=group aria-label="What to do with chosen messages"')
        )
        with self._bar:
            self._count = text("span", "").props("role=status")
            made = [
                button("Resend", "send", self._resend, "primary"),
                button("Edit and resend", "edit", self._edit),
                button("Resubmit", "playlist_play", self._resubmit),
                *(button(label, icon, partial(self._act, name)) for name, (icon, label, _) in _ACTS.items()),
            ]
            button("Choose none", on_click=lambda: self.choose([]), kind="quiet")
        if not portal.may(Role.OPERATOR):
            for each in made:
                each.set_enabled(False)
                each.props.update({"title": "Needs the role operator"})
        self._bar.set_visibility(False)

    def choose(self, ids: list[int]) -> None:
        """Choose these messages."""
        self._chosen = sorted(set(ids))
        self._count.text = f"{len(ids):,} chosen"
        self._bar.set_visibility(bool(ids))
        self.on_choose(self._chosen)

    async def _resend(self) -> None:
        """Send them again as they are, each to its target or all to another."""
        target = await self._ask_target("Resend", "Each is sent again in its session, with the same body.")
        if target is not None:
            messages = self._portal.director.messages
            await self._do("Resend messages", lambda ids, by: messages.resend(ids, target, None, by), "resent")

    async def _resubmit(self) -> None:
        target = await self._ask_target("Resubmit", "Suspended messages go back to the end of a queue.")
        if target is not None:
            messages = self._portal.director.messages
            await self._do("Resubmit messages", lambda ids, by: messages.resubmit(ids, target, by), "resubmitted")

    async def _act(self, name: str) -> None:
        _, label, explanation = _ACTS[name]
        if await confirmed(
            f"{label} {self._words()}?", explanation, label, "danger" if name != "suspend" else "primary"
        ):
            act: Callable[[list[int], str], list[Outcome]] = getattr(self._portal.director.messages, name)
            await self._do(f"{label} messages", act, f"{name}ed")

    async def _edit(self) -> None:
        """Send them with another body; it begins with that of the first."""
        with told():
            store = self._portal.director.store
            header = await blocking.run(store.header, self._chosen[0])
            body = await blocking.run(store.body, header.message_body_id)
            value = parsed(body.content) if body is not None else None
            if not isinstance(value, dict):
                raise BadRequest(f"Message {header.id} has no JSON object that could be edited: resend it as it is.")
            asked = await self._ask_body(json.dumps(value, ensure_ascii=False, indent=2))
            if asked is not None:
                target, content = asked
                resend = self._portal.director.messages.resend
                await self._do("Edit and resend messages", lambda ids, by: resend(ids, target, content, by), "resent")

    async def _do(self, action: str, act: Callable[[list[int], str], list[Outcome]], done: str) -> None:
        with told(), self._portal.act(action, self._words()) as deed:
            outcomes = await blocking.run(act, self._chosen, acting.get().name)
            well = [outcome for outcome in outcomes if outcome.done]
            deed.tell(f"{len(well)} of {len(outcomes)} {done}")
            await self._tell(outcomes, done)
            self.choose([outcome.id for outcome in outcomes if not outcome.done])
        await self._changed()

    async def _tell(self, outcomes: list[Outcome], done: str) -> None:
        """One sentence if all went well; else a list of why not."""
        failed = [outcome for outcome in outcomes if not outcome.done]
        words = f"{len(outcomes) - len(failed)} of {len(outcomes)} {done}."
        if not failed:
            ui.notify(words, type="positive", position="top")
            return
        with ui.dialog(value=True) as dialog, ui.card().classes("ask"):
            text("h2", words).classes("question")
            for outcome in failed[:MOST_REASONS]:
                notice(outcome.reason, "warn")
            if len(failed) > MOST_REASONS:
                text("p", f"And {len(failed) - MOST_REASONS} more.").classes("muted")
            with ui.element("div").classes("ask-buttons"):
                button("Close", on_click=dialog.close)
        dialog.on("hide", dialog.delete)

    def _words(self) -> str:
        count = len(self._chosen)
        return f"message {self._chosen[0]}" if count == 1 else f"{count:,} messages"

    async def _ask_target(self, action: str, explanation: str) -> str | None:
        """The item to send to, empty for each one's own; None if it was thought better of."""
        with ui.dialog() as dialog, ui.card().classes("ask"):
            text("h2", f"{action} {self._words()}").classes("question")
            ui.label(explanation)
            target = self._target()
            with ui.element("div").classes("ask-buttons"):
                button("Cancel", on_click=lambda: dialog.submit(None))
                button(action, on_click=lambda: dialog.submit(_named(target)), kind="primary")
        answer: str | None = await dialog
        _close(dialog)
        return answer

    async def _ask_body(self, content: str) -> tuple[str, str] | None:
        """Target and body, or None."""
        with ui.dialog() as dialog, ui.card().classes("ask wide-ask"):
            text("h2", f"Edit and resend {self._words()}").classes("question")
            if len(self._chosen) > 1:
                notice("Each of them is sent again with this body, in its own session.", "warn")
            target = self._target()
            area = ui.textarea("Body (JSON)", value=content, validation=_problem).classes("mono")
            area.props(
                "outlined autogrow spellcheck=false stack-label input-style='min-height: 220px; max-height: 55vh'"
            )
            with ui.element("div").classes("ask-buttons"):
                button("Cancel", on_click=lambda: dialog.submit(None))

                def send() -> None:
                    if area.validate():
                        dialog.submit((_named(target), str(area.value)))

                button("Resend", on_click=send, kind="primary")
        answer: tuple[str, str] | None = await dialog
        _close(dialog)
        return answer

    def _target(self) -> ui.select:
        options = [_SAME, *self._items]
        return ui.select(options, label="Target", value=_SAME, with_input=True).props("outlined dense")


def _close(dialog: ui.dialog) -> None:
    if not dialog.is_deleted:  # as it is when the page was left meanwhile
        dialog.delete()


def _named(target: ui.select) -> str:
    value: Any = target.value
    return "" if value in (None, _SAME) else str(value)


def _problem(content: str | None) -> str | None:
    try:
        bodytext.stored(str(content or ""), "The body", "Correct it.")
    except BadRequest as error:
        return str(error)
    return None
