"""The room Books: describe a cover and see those that are like it; and the job that makes the index."""

from irislite.web.portal.layout import Room
from rooms.books import page, twin

ROOM = Room(page.PATH, "Books", "auto_stories", page.page, twin.router)
