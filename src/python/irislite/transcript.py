"""A session as text: its messages in order, with what they carry."""

import json
from collections.abc import Iterator

from irislite.beside import Beside
from irislite.errors import UnknownSession
from irislite.header import MessageType, Status

LONGEST = 500  # characters of a body that are shown


def transcript(messages: Beside, session_id: int) -> str:
    """The lines of a session. Raises `UnknownSession` if there is none."""
    rows = messages.reader().execute(
        "SELECT h.id, h.type, h.status, h.time_created, h.source_config_name, h.target_config_name, h.error_text, "
        "b.classname, b.content FROM message_header h LEFT JOIN message_body b ON b.id = h.message_body_id "
        "WHERE h.session_id = ? ORDER BY h.id",
        (session_id,),
    )
    lines = [line for row in rows for line in _lines(*row)]
    if not lines:
        raise UnknownSession(
            f"There is no session {session_id} in {messages.path.parent}: the portal's message list shows them."
        )
    return "\n".join(lines)


def _lines(
    id_: int, type_: int, status: int, created: str, source: str, target: str, error: str,
    classname: str | None, content: str | None,
) -> Iterator[str]:  # fmt: skip
    arrow = "→" if type_ == MessageType.REQUEST else "⇢"
    yield f"[{id_}] {created}  {source} {arrow} {target}  {classname or ''}  {Status(status).name.title()}"
    if error:
        yield f"      {error}"
    if content:
        yield f"      {_shortened(content)}"


def _shortened(content: str) -> str:
    try:
        content = json.dumps(json.loads(content), ensure_ascii=False)
    except ValueError:
        pass  # a pickle's text: shown as it is
    return content if len(content) <= LONGEST else f"{content[:LONGEST]}… ({len(content):,} characters)"
