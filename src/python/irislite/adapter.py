"""A Python adapter: made, set up, called and torn down beside the service or operation it works for."""

import time
from typing import Any

from irislite.bridge import components
from irislite.bridge.handles import Handle, InboundHandle, OutboundHandle
from irislite.config import Item
from irislite.errors import ProductionError


class Adapter:
    """The instance of an adapter's class, and its handle. One thread uses it at a time.

    There is one instance for as long as the host lives, and the host's component has the
    very same as `self.adapter`.
    """

    def __init__(self, adapter_class: Any, item: Item, host: Handle) -> None:
        self._class = adapter_class
        self._keepalive_s = _keepalive_s(item)
        self._last_used = time.monotonic()
        self.handle = (InboundHandle if components.is_inbound(adapter_class) else OutboundHandle)(host)
        self.instance: Any = components.build(adapter_class)
        self.handle.component = self.instance
        self.instance._set_iris_handles(self.handle, host)
        self.problems = components.apply_settings(self.instance, item, "Adapter")

    def stop(self) -> None:
        """Tear the adapter down. What it raises is raised on."""
        self.instance._dispatch_on_tear_down(self.handle)

    def use(self) -> None:
        """Note that the host works: the time for a sign of life begins anew."""
        self._last_used = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the host was idle for `KeepaliveInterval` seconds (0: never)."""
        return 0 < self._keepalive_s <= time.monotonic() - self._last_used


def _keepalive_s(item: Item) -> float:
    text = item.setting("KeepaliveInterval", "Adapter") or "0"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise ProductionError(f"KeepaliveInterval of {item.name} is {text!r}: set it to seconds, 0 for never.")
    return seconds
