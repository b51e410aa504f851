"""How an item calls hosted models: its settings, checked, and the one function that calls."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import settinglines
from inference.answer import Answer, Log
from inference.errors import EndpointError
from inference.hosted.rules import ALLOWED_HOSTS, ROUTER, Hosts

HUB = "https://huggingface.co"
LONGEST_S = 86_400.0


@dataclass(frozen=True)
class Hosting:
    """An item's settings. Times are in seconds."""

    timeout_s: float
    failure_timeout_s: float
    hosts: Hosts
    credential: str
    router: str
    rewrite: bool

    @classmethod
    def parse(
        cls,
        *,
        timeout: object = 60,
        failure_timeout: object = 120,
        allowed_hosts: str = ALLOWED_HOSTS,
        credential: str = "",
        router: str = ROUTER,
        rewrite_old_host: object = True,
    ) -> "Hosting":
        """The settings as they are typed; raises `EndpointError` that says what to write."""
        rewrite = settinglines.typed(rewrite_old_host)
        if not isinstance(rewrite, bool):
            raise EndpointError(f"rewrite_old_host is {rewrite_old_host!r}. Write true or false.")
        parts = urlsplit(router.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise EndpointError(f"router is {router!r}, which is no web address. Write one such as {ROUTER}.")
        return cls(
            number(timeout, "timeout", 0.001),
            number(failure_timeout, "failure_timeout", 0.0),
            Hosts.parse(allowed_hosts),
            credential.strip(),
            router.strip().rstrip("/"),
            rewrite,
        )

    @property
    def hub(self) -> str:
        """Where the hub is asked who serves a model; `HF_ENDPOINT` names a mirror."""
        return os.environ.get("HF_ENDPOINT", HUB).rstrip("/")

    def call(
        self,
        request: Mapping[str, Any],
        *,
        vault: Callable[[str], str | None] = lambda _: None,
        log: Log = lambda _: None,
        pause: Callable[[float], object] | None = None,
    ) -> Answer:
        """Send a request, given by its fields, and return the model's answer.

        `vault(name)` knows the keys of named credentials, `pause(seconds)` waits between two tries. Raises
        `InferenceError`s: `EndpointError` with the HTTP status, `EndpointUnreachable`, `HostNotAllowed`, and what is
        wrong with the request itself. No message holds the key.
        """
        from inference.hosted import calls

        return calls.call(self, request, vault=vault, log=log, pause=pause)


def number(value: object, what: str, least: float) -> float:
    """A setting's or a field's number of seconds; raises `EndpointError`."""
    typed = settinglines.typed(value)
    if isinstance(typed, bool) or not isinstance(typed, int | float) or not least <= typed <= LONGEST_S:
        raise EndpointError(f"{what} is {value!r}. Write a number of seconds, from {least:g} to {LONGEST_S:g}.")
    return float(typed)
