"""Which hosts may be called, and which key goes with a call."""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from inference.answer import Log
from inference.errors import EndpointError, HostNotAllowed

ROUTER = "https://router.huggingface.co"
OLD_HOST = "api-inference.huggingface.co"
LOOPBACK = "loopback"
ALLOWED_HOSTS = f"router.huggingface.co, {OLD_HOST}, *.endpoints.huggingface.cloud, {LOOPBACK}"
TOKENS = "https://huggingface.co/settings/tokens"
_ENTRY = re.compile(r"(?:(https?)://)?((?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(?::(\d+))?/?")


@dataclass(frozen=True)
class _Entry:
    host: str  # a name, or *. and the end of one
    port: int | None
    plain: bool  # http is meant

    def covers(self, host: str, port: int | None) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.host == LOOPBACK:
            return is_loopback(host)
        return host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host


@dataclass(frozen=True)
class Hosts:
    """The hosts that an item may call, and send its key to; `text` is the setting they come from."""

    text: str
    entries: tuple[_Entry, ...]

    @classmethod
    def parse(cls, text: str) -> "Hosts":
        """Names, `*.` and the end of names, or `loopback`, separated by commas; `http://` before one allows http too.

        Raises `EndpointError`.
        """
        entries = []
        for part in text.lower().replace(",", " ").split():
            match = _ENTRY.fullmatch(part)
            if not match:
                raise EndpointError(
                    f"allowed_hosts has {part!r}, which is no host. Write names such as {ALLOWED_HOSTS}, with commas."
                )
            entries.append(_Entry(match[2].strip("[]"), int(match[3]) if match[3] else None, match[1] == "http"))
        return cls(", ".join(text.replace(",", " ").split()), tuple(entries))

    def allow(self, scheme: str, host: str, port: int | None) -> bool:
        """Whether a call, with its key, may go there. http is for this machine, and where an entry says so."""
        return any(
            entry.covers(host, port) and (scheme == "https" or entry.plain or is_loopback(host))
            for entry in self.entries
        )

    def refusal(self, scheme: str, host: str, port: int | None) -> HostNotAllowed:
        """Why `allow` says no, as an error."""
        if scheme == "http" and self.allow("https", host, port):
            return HostNotAllowed(
                f"http://{host} is not encrypted: what is sent, and the key, could be read on their way. Nothing was "
                f"sent. Use https, or let an administrator write http://{host} in the setting allowed_hosts."
            )
        return HostNotAllowed(
            f"{host} is not one of the hosts that may be called ({self.text or 'none'}). Nothing was sent. Correct the "
            "address, or let an administrator add the host to the setting allowed_hosts."
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def choose_key(typed: object, credential: str, vault: Callable[[str], str | None], log: Log) -> str:
    """The key of a call, or '': what the message carries, else the named credential, else HF_TOKEN.

    A credential's key is in the variable HF_TOKEN_<NAME>, else in what `vault(name)` knows. Dashes are a placeholder.
    Raises `EndpointError` for a key that cannot be one, and for a credential that is not there.
    """
    key = str(typed or "").strip()
    if key and not key.strip("-"):
        log("api_key is a placeholder of dashes and is not sent.")
        key = ""
    if key:
        return _checked(key, "api_key")
    if credential:
        variable = "HF_TOKEN_" + re.sub(r"\W", "_", credential).upper()
        key = (os.environ.get(variable) or vault(credential) or "").strip()
        if not key:
            raise EndpointError(
                f"There is no credential {credential!r}. On IRIS define it under Interoperability, Configure, "
                "Credentials, on irislite in the portal's room System, with the token as its password; or set the "
                f"environment variable {variable}."
            )
        return _checked(key, f"The credential {credential}")
    return _checked(os.environ.get("HF_TOKEN", "").strip(), "HF_TOKEN")


def scrubber(key: str) -> Callable[[str], str]:
    """A function that takes the key out of a text; servers and libraries sometimes repeat what they were sent."""
    return lambda text: text.replace(key, "<key>") if key else text


def _checked(key: str, where: str) -> str:
    if any(letter.isspace() or not letter.isascii() or not letter.isprintable() for letter in key):
        raise EndpointError(f"{where} holds letters that no key has. Copy the token anew from {TOKENS}.")
    return key
