"""What a message carries: note, pictures, JSON tree; and the addresses of pictures and whole bodies."""

import base64
import binascii
import json
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response
from nicegui import ui

from irislite.director import Director
from irislite.header import Body
from irislite.web.portal.controls import notice, text
from irislite.web.portal.rows import cut
from irislite.web.portal.widgets import Tree

PICTURES, BODIES = "/pictures/{body_id}/{number}", "/bodies/{body_id}"
# What browsers show as a picture and never run: no SVG.
MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
LONGEST_STRING = 4_000  # characters of one value
LONGEST_CODE = 120  # the same for a value without a single space, as base64 is
LONGEST_LIST = 200


def show(body_id: int, body: Body | None) -> None:
    """Show a body here."""
    if body is None:
        ui.label("This message has no body.").classes("muted")
        return
    value = parsed(body.content)
    if isinstance(value, dict):
        if isinstance(value.get("note"), str) and value["note"]:
            notice(value["note"], "note")
        pictures = _pictures(value)
        _show_pictures(body_id, pictures)
        if pictures:  # what is shown as a picture need not be shown as letters
            size = sum(len(str(picture.get("data", ""))) for picture in pictures)
            value = value | {"images": f"{len(pictures)}, shown above ({size:,} characters)"}
    with ui.element("div").classes("row-wrap small muted"):
        text("span", body.classname or body.class_name)
        text("span", f"{len(body.content):,} characters")
        ui.link("Whole body", BODIES.format(body_id=body_id), new_tab=True)
    if value is None and body.content != "null":
        text("pre", cut(body.content, LONGEST_STRING)).classes("tree")
    else:
        Tree(shortened(value))


def parsed(content: str) -> Any:
    """The JSON value of a body's text; None for a text that is none, as a pickle's."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def shortened(value: Any) -> Any:
    """A JSON value that is fit to be read: long texts and lists are cut, and say so."""
    if isinstance(value, str):
        return cut(value, LONGEST_STRING if " " in value[:LONGEST_CODE] else LONGEST_CODE)
    if isinstance(value, dict):
        return {str(name): shortened(part) for name, part in value.items()}
    if isinstance(value, list):
        parts = [shortened(part) for part in value[:LONGEST_LIST]]
        return parts if len(value) <= LONGEST_LIST else [*parts, f"… and {len(value) - LONGEST_LIST:,} more"]
    return value


def _pictures(value: dict[str, Any]) -> list[dict[str, Any]]:
    images = value.get("images")
    return [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []


def _show_pictures(body_id: int, pictures: list[dict[str, Any]]) -> None:
    if not pictures:
        return
    with ui.element("div").classes("pictures"):
        for number, image in enumerate(pictures):
            title = str(image.get("title") or f"Picture {number + 1}")
            with ui.element("figure"):
                shown = ui.element("img")
                shown.props.update({"src": PICTURES.format(body_id=body_id, number=number), "alt": title})
                text("figcaption", f"{title}, {image.get('width', '?')} × {image.get('height', '?')} pixels")


def register(app: FastAPI, director: Director) -> None:
    """Add the addresses; the gate asks for the sign-in."""

    @app.get(PICTURES)
    def picture(body_id: int, number: int) -> Response:
        body = director.store.body(body_id)
        try:
            images = _pictures(json.loads(body.content)) if body is not None else []
            image = images[number] if number >= 0 else {}
            media_type, data = image["media_type"], base64.b64decode(image["data"], validate=True)
        except (ValueError, LookupError, TypeError, binascii.Error):
            raise HTTPException(404, f"Message body {body_id} has no picture {number}: open its trace.") from None
        if media_type not in MEDIA_TYPES:
            raise HTTPException(415, f"{media_type} is not shown: it is one of {', '.join(sorted(MEDIA_TYPES))}.")
        return Response(data, media_type=media_type, headers={"cache-control": "private, max-age=86400"})

    @app.get(BODIES)
    def whole(body_id: int) -> Response:
        body = director.store.body(body_id)
        if body is None:
            raise HTTPException(404, f"There is no message body {body_id}: look it up in the message list.")
        is_json = parsed(body.content) is not None
        return Response(body.content, media_type="application/json" if is_json else "text/plain; charset=utf-8")
