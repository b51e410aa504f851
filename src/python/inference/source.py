"""Bytes by reference: an http(s) address, a path in an allowed folder, a data URI or base64, each within limits."""

import base64
import binascii
import http.client
import ipaddress
import os
import re
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import paths
from inference.errors import InputRefused, SourceRefused

LIMIT_BYTES = 20_000_000
TIMEOUT_S = 20.0
PRIVATE_URLS = "EVERGREEN_ALLOW_PRIVATE_URLS"
_REDIRECTS = 5
_DATA_URI = re.compile(r"data:[^,;]*(;[^,;]+)*?(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL)

_BASE64_SHOWS = 200  # so many letters without a dot, a dash or a colon are no path
_BASE64 = re.compile(rf"[A-Za-z0-9+/\s]{{{_BASE64_SHOWS}}}|[A-Za-z0-9+/]{{80,}}={{1,2}}")


def read(reference: str, *, timeout_s: float = TIMEOUT_S, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """The bytes that `reference` stands for.

    Raises `SourceRefused` for an address that may not or cannot be read, `paths.PathNotAllowed` for a
    path outside the allowed folders, and `InputRefused` for a file that is not there.
    """
    if reference.startswith("data:"):
        return _from_data_uri(reference, limit_bytes)
    if _BASE64.fullmatch(reference[:_BASE64_SHOWS]):
        return _from_data_uri(f"data:;base64,{reference}", limit_bytes)
    scheme = reference.split("://", 1)[0].lower() if "://" in reference else ""
    if scheme in ("http", "https"):
        return _from_web(reference, timeout_s, limit_bytes)
    if scheme:
        raise SourceRefused(f"The address {short(reference)} is not http or https. Give an http or https address.")
    return _from_file(paths.checked(reference), limit_bytes)


def short(text: str) -> str:
    """`text` as an error may quote it."""
    return text if len(text) <= 120 else f"{text[:100]}...{text[-17:]}"


def _from_data_uri(uri: str, limit_bytes: int) -> bytes:
    if len(uri) > limit_bytes * 3:  # percent encoding makes three letters of a byte
        raise SourceRefused(_too_large("The data URI", limit_bytes))
    match = _DATA_URI.fullmatch(uri)
    if not match:
        raise SourceRefused("The data URI has no comma before its data. Write data:image/png;base64,....")
    if not match["base64"]:
        data = unquote_to_bytes(match["data"])
    else:
        try:
            data = base64.b64decode("".join(match["data"].split()), validate=True)
        except binascii.Error as error:
            raise SourceRefused(f"The data URI holds no base64 ({error}). Encode the bytes again.") from error
    if len(data) > limit_bytes:
        raise SourceRefused(_too_large("The data URI", limit_bytes))
    return data


def _from_file(path: Path, limit_bytes: int) -> bytes:
    if not path.is_file():
        raise InputRefused(f"There is no file {path}. Correct the path, or copy the file there.")
    if path.stat().st_size > limit_bytes:
        raise SourceRefused(_too_large(str(path), limit_bytes))
    return path.read_bytes()


def _from_web(url: str, timeout_s: float, limit_bytes: int) -> bytes:
    deadline_s = time.monotonic() + timeout_s
    for _ in range(_REDIRECTS + 1):
        try:
            answer = _get(url, deadline_s, limit_bytes)
        except TimeoutError as error:
            raise SourceRefused(
                f"{short(url)} gave no answer within {timeout_s:g} s. Try again, or copy the file into an allowed "
                "folder and give its path."
            ) from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise SourceRefused(
                f"{short(url)} could not be read: {error}. Check the address and this machine's network, or copy "
                "the file into an allowed folder and give its path."
            ) from error
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer)
        if urlsplit(url).scheme not in ("http", "https"):
            raise SourceRefused(f"The address leads to {short(url)}, which is not http or https. Give another.")
    raise SourceRefused(f"{short(url)} leads on more than {_REDIRECTS} times. Give the file's last address.")


def _get(url: str, deadline_s: float, limit_bytes: int) -> bytes | str:
    """The body at `url`, or the address that the server leads to."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SourceRefused(f"{short(url)} is no address ({error}). Correct it.") from error
    if not host or any(letter.isspace() or ord(letter) < 32 for letter in url):
        raise SourceRefused(f"{short(url)} is no address. Give it as https://host/path.")
    secure = parts.scheme == "https"
    connection = http.client.HTTPConnection(host, port or (443 if secure else 80))
    connected = connection.sock = _connect(host, connection.port, deadline_s)
    try:
        if secure:
            connected = ssl.create_default_context().wrap_socket(connected, server_hostname=host)
            connection.sock = connected
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Host": parts.netloc.rpartition("@")[2], "User-Agent": "evergreen"})
        response = connection.getresponse()
        if response.status in (301, 302, 303, 307, 308) and (location := response.getheader("Location")):
            return location
        if response.status != 200:
            raise SourceRefused(
                f"{short(url)} answered {response.status} {response.reason}. Open the address in a browser, and "
                "correct it."
            )
        return _body(response, connected, url, deadline_s, limit_bytes)
    finally:
        connection.close()


def _body(
    response: http.client.HTTPResponse, connected: socket.socket, url: str, deadline_s: float, limit_bytes: int
) -> bytes:
    body = bytearray()
    while chunk := response.read1(65536):
        body += chunk
        if len(body) > limit_bytes:
            raise SourceRefused(_too_large(short(url), limit_bytes))
        connected.settimeout(_left(deadline_s))
    if response.length:  # read1 does not mind a connection that ends too early
        raise http.client.IncompleteRead(bytes(body[:0]), response.length)
    return bytes(body)


def _connect(host: str, port: int, deadline_s: float) -> socket.socket:
    """A connection to an address of `host` that may be read; the checked address is the one that is used."""
    last: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        _refuse_private(host, str(address[0]))
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(_left(deadline_s))
            connected.connect(address)
            return connected
        except OSError as error:
            connected.close()
            last = error
    raise last or OSError(f"{host} has no address")


def _refuse_private(host: str, address: str) -> None:
    if os.environ.get(PRIVATE_URLS, "").lower() in ("1", "true", "yes"):
        return
    number = ipaddress.ip_address(address.split("%")[0])
    number = getattr(number, "ipv4_mapped", None) or number
    if not number.is_global or number.is_multicast:
        raise SourceRefused(
            f"{host} is {number}, an address of this machine or a private network, which requests may not read. "
            f"Use a public address or a path; an administrator can allow it with {PRIVATE_URLS}=1."
        )


def _left(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _too_large(what: str, limit_bytes: int) -> str:
    return f"{what} is larger than {limit_bytes // 1_000_000} MB. Give a smaller file."
