"""The stream that the settings of a host name: its options, and the link to its Redis."""

from typing import Any

import iris

import sentiment


def options(host: Any) -> sentiment.Options:
    """What the settings of a host say of the stream. Raises `sentiment.BadSetting`."""
    return sentiment.Options.parse(
        {name: value for name in sentiment.SETTINGS if (value := getattr(host, name, None)) is not None}
    )


def link(host: Any, chosen: sentiment.Options) -> sentiment.Link:
    """The Redis of these options, signed in to with the host's credential, or as the environment says."""
    if not host.credential:
        return sentiment.connect(chosen)
    try:
        entry = iris.cls("Ens.Config.Credentials")._OpenId(host.credential)
    except LookupError:  # no engine has the class
        entry = None
    if not entry:
        raise LookupError(f"There is no credential {host.credential!r}: make it, or name another in credential.")
    return sentiment.connect(chosen, username=str(entry.Username or ""), password=str(entry.Password))
