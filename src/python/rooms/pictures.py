"""A picture that somebody gives a room to ask with: a place to drop it at, and what is taken."""

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

from nicegui import events, ui

from irislite.errors import BadRequest
from irislite.web.bodyview import MEDIA_TYPES
from irislite.web.portal.controls import told, upload

LARGEST_BYTES = 4_000_000
_SIGNS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


def picture_upload(label: str, take: Callable[[str, str], Awaitable[None]]) -> ui.upload:
    """Take pictures here, one after the other: `take` gets each as a data URI, and the name of its file."""

    async def uploaded(event: events.UploadEventArguments) -> None:
        with told():
            await take(await _data_uri(event), Path(event.file.name).name[:60])
        place.reset()  # else it would take no other one

    words = f"{label}, at most {LARGEST_BYTES // 1_000_000} MB"
    place = upload(words, ",".join(sorted(MEDIA_TYPES)), LARGEST_BYTES, uploaded, "It is too large, or no picture.")
    return place.classes("slim")


async def _data_uri(event: events.UploadEventArguments) -> str:
    if event.file.size() > LARGEST_BYTES:
        raise BadRequest(f"The picture has more than {LARGEST_BYTES:,} bytes: make it smaller.")
    data = await event.file.read()
    kind = next((kind for sign, kind in _SIGNS.items() if data.startswith(sign)), "")
    if kind not in MEDIA_TYPES:
        raise BadRequest("That is no PNG, JPEG, GIF or WebP picture: save it as one of these.")
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
