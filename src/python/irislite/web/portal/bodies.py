"""What a message carries: note, pictures, JSON tree; and the addresses of pictures and whole bodies."""

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response
from nicegui import ui

from irislite.director import Director
from irislite.header import Body
from irislite.web.bodyview import LONGEST_STRING, Picture, cut, decoded, parsed, pictures, shortened, without_pictures
from irislite.web.portal.controls import notice, text
from irislite.web.portal.widgets import Copy, Tree

PICTURES, BODIES = "/pictures/{body_id}/{number}", "/bodies/{body_id}"


def show(body_id: int, body: Body | None) -> None:
    """Show a body here."""
    if body is None:
        ui.label("This message has no body.").classes("muted")
        return
    value = parsed(body.content)
    if isinstance(value, dict) and isinstance(value.get("note"), str) and value["note"]:
        notice(value["note"], "note")
    _show_pictures(body_id, pictures(value))
    address = BODIES.format(body_id=body_id)
    with ui.element("div").classes("row-wrap small muted"):
        text("span", body.classname or body.class_name)
        text("span", f"{len(body.content):,} characters")
        ui.link("Whole body", address, new_tab=True)
        Copy("Copy", address)
    if value is None and body.content != "null":
        text("pre", cut(body.content, LONGEST_STRING)).classes("tree")
    else:
        Tree(shortened(without_pictures(value)))


def _show_pictures(body_id: int, found: list[Picture]) -> None:
    if not found:
        return
    with ui.element("div").classes("pictures"):
        for number, picture in enumerate(found):
            with ui.element("figure"):
                if decoded(picture) is None:
                    text("figcaption", f"{picture.title}: no picture that is shown ({picture.media_type or 'no type'})")
                    continue
                shown = ui.element("img")
                source = PICTURES.format(body_id=body_id, number=number)
                shown.props.update({"src": source, "alt": picture.title})
                text("figcaption", f"{picture.title}, {picture.size}")


def register(app: FastAPI, director: Director) -> None:
    """Add the addresses; the gate asks for the sign-in."""

    @app.get(PICTURES)
    def picture(body_id: int, number: int) -> Response:
        body = director.store.body(body_id)
        found = pictures(parsed(body.content)) if body is not None else []
        one = found[number] if 0 <= number < len(found) else None
        data = decoded(one) if one is not None else None
        if one is None or data is None:
            raise HTTPException(404, f"Message body {body_id} has no picture {number} that is shown: open its trace.")
        return Response(data, media_type=one.media_type, headers={"cache-control": "private, max-age=86400"})

    @app.get(BODIES)
    def whole(body_id: int) -> Response:
        body = director.store.body(body_id)
        if body is None:
            raise HTTPException(404, f"There is no message body {body_id}: look it up in the message list.")
        is_json = parsed(body.content) is not None
        return Response(body.content, media_type="application/json" if is_json else "text/plain; charset=utf-8")
