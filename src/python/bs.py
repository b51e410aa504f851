"""The business services: where what comes from outside enters the production."""

# No `from __future__ import annotations` here: iop reads annotations.
from iop import BusinessService


class ApplicationService(BusinessService):
    """The door of the application API: its messages are sent in this service's name. See docs/api.md.

    It has no adapter and takes nothing by itself: `api.engine` asks `iop`'s Director for it and sends through it.
    """
