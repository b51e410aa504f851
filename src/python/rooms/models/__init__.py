"""The room Models: what lies in src/model, downloads, decisions about what was trained, and a try."""

from irislite.web.portal.layout import Room
from rooms.models import page, twin

ROOM = Room(page.PATH, "Models", "model_training", page.page, twin.router)
