"""A Python adapter: made, set up, called and torn down beside the service or operation it works for."""

import time
from typing import Any

from irislite import itemsettings
from irislite.bridge import components
from irislite.bridge.handles import Handle, InboundHandle, OutboundHandle
from irislite.config import Item


class Adapter:
    """The instance of an adapter's class, and its handle. One thread uses it at a time.

    There is one instance for as long as the host lives, and the host's component has the
    very same as `self.adapter`.
    """

    def __init__(self, adapter_class: Any, item: Item, host: Handle) -> None:
        self._class = adapter_class
        self._keepalive_s = itemsettings.keepalive_interval_s(item)
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
