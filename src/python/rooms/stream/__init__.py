"""The room Stream: what a stream of posts feels, minute by minute, and how the work on it goes."""

from irislite.web.portal.layout import Room
from rooms.stream import page, twin

ROOM = Room(page.PATH, "Stream", "show_chart", page.page, twin.router)
