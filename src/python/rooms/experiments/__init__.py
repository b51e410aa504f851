"""The room Experiments: what was tried, how it went, what is better, and what of it answers."""

from irislite.web.portal.layout import Room
from rooms.experiments import page, twin

ROOM = Room(page.PATH, "Experiments", "leaderboard", page.page, twin.router)
