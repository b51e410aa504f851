"""The rooms of the portal, in the order in which they are shown. A new one is a file and a line."""

from irislite.web.portal import log, messages, production, testing, trace
from irislite.web.portal.layout import Room

ROOMS = (
    Room("/production", "Production", "account_tree", production.page),
    Room("/test", "Test", "science", testing.page),
    Room("/messages", "Messages", "mail_outline", messages.page),
    Room("/trace", "Visual Trace", "swap_horiz", trace.page),
    Room("/log", "Event Log", "receipt_long", log.page),
)
