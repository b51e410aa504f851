"""A model in a folder on any web server: an internal mirror, an index page, a bucket behind a web front.

The files are the links of the folder's page that lie directly below it, and the names in a `SHA256SUMS` beside them.
Everything comes from one host: a redirect to another is refused.
"""

import posixpath
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

from inference import selection
from inference.address import WebFolder
from inference.errors import DownloadFailed, DownloadRefused, OriginUnreachable
from inference.hub import unreachable
from inference.line import LedAway, Line, Refused, is_busy, same_host
from inference.origin import Origin
from inference.transfer import Damaged, RemoteFile, version

MOST_FILES = 500
PAGE_BYTES = 5_000_000
_SUMS = ("SHA256SUMS", "SHA256SUMS.txt", "sha256sums.txt")
_SUM = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")


class Web:
    """One folder. Reads its page when it is made; raises `DownloadFailed`."""

    def __init__(self, address: WebFolder) -> None:
        self.address, self.commit, self.place = address, None, ""
        self.line = Line(address.url)
        try:
            names, base = self._linked(address.url)
            if f"{selection.TEMPLATES}/" in names:
                names |= {f"{selection.TEMPLATES}/{name}" for name in self._linked(f"{base}{selection.TEMPLATES}/")[0]}
            sums = self._sums(base, names)
        except DownloadFailed:
            raise
        except (Refused, LedAway, OSError) as error:
            raise self.explain(error) from error
        names = {name for name in names | set(sums) if selection.is_name(name)}
        if not names:
            raise DownloadRefused(
                f"{self} lists no files: its page has no links to any, and there is no SHA256SUMS beside it. Give the "
                "address of the page that lists config.json, or let the server list the folder."
            )
        if len(names) > MOST_FILES:
            raise DownloadRefused(
                f"{self} lists {len(names):,} files, and a model has at most {MOST_FILES}. Give the address of the "
                "model's own folder."
            )
        self.files = {name: RemoteFile(name, base + quote(name), None, sums.get(name)) for name in names}

    def __str__(self) -> str:
        return str(self.address)

    @property
    def origin(self) -> Origin:
        return Origin(self.address.url)

    def measured(self, file: RemoteFile) -> RemoteFile:
        """`file` with its size, if the server tells it. Raises `DownloadFailed`."""
        try:
            with self.line.ask("HEAD", file.url, patiently=True) as response:
                size = response.headers.get("Content-Length", "")
                plain, tag = "Content-Encoding" not in response.headers, version(response.headers)
        except Refused as error:
            if error.status in (400, 403, 405, 501):  # no HEAD here; GET tells
                return file
            raise self.explain(error, file.name) from error
        except (LedAway, OSError) as error:
            raise self.explain(error, file.name) from error
        known = int(size) if size.isdigit() and plain else None
        return RemoteFile(file.name, file.url, known, file.sha256, tag=tag)

    def bring_small(self, names: Collection[str], folder: Path) -> None:
        """Nothing: a web server has no client of its own."""

    def at_hand(self, _file: RemoteFile) -> None:
        """Nothing: no cache of this server is known."""

    def instead(self, _folder: Path) -> None:
        """Nothing: there are no other revisions."""

    def explain(self, error: Exception, file: str = "") -> DownloadFailed:
        """What `error` means for who waits for the model, and what to do about it."""
        what = f"{self}{file} could not be downloaded"
        if isinstance(error, Damaged):
            return DownloadFailed(
                f"{what}: it arrived with {error}, as the server itself or its SHA256SUMS tells. Try again; if it "
                "stays so, put the file or SHA256SUMS on the server right."
            )
        if isinstance(error, LedAway):
            return DownloadRefused(
                f"{what}: the server leads to {error}, and a web folder may only be read from its own host. Give the "
                "address it leads to as model_url, if you trust it."
            )
        if not isinstance(error, Refused):
            return unreachable(error, what)
        if error.status == 401:
            return DownloadRefused(
                f"{what}: the server asks for a user and a password (401). Put them into the file ~/.netrc of the "
                "account that runs the production."
            )
        if error.status == 403:
            return DownloadRefused(f"{what}: access is refused (403). Let the server give this folder out and list it.")
        if error.status in (404, 410):
            return DownloadRefused(f"{what}: it is not there ({error.status}). Correct model_url.")
        if is_busy(error.status):
            return OriginUnreachable(f"{what}: the server is busy ({error.status}, asked several times). Try later.")
        return DownloadFailed(f"{what}: the server answered {error.status}. Open the address in a browser, correct it.")

    def _linked(self, url: str) -> tuple[set[str], str]:
        """The plain names that the page at `url` links to, a folder's with a slash, and the folder it came from."""
        from bs4 import BeautifulSoup

        page, at = self._text(url, PAGE_BYTES)
        base = at.split("?")[0].rpartition("/")[0] + "/"
        anchors = BeautifulSoup(page, "html.parser").find_all("a", href=True)
        return {name for anchor in anchors if (name := _below(base, str(anchor["href"])))}, base

    def _sums(self, base: str, names: set[str]) -> dict[str, str]:
        """The sums that the server publishes, by name; none if there is no such file."""
        listed = [name for name in _SUMS if name in names]
        for name in listed or _SUMS[:1]:
            try:
                text, _ = self._text(base + name, PAGE_BYTES)
            except Refused as error:
                if name in names or error.status not in (403, 404, 410):
                    raise
                continue
            lines = (_SUM.fullmatch(line.strip()) for line in text.splitlines())
            return {match[2].removeprefix("./"): match[1].lower() for match in lines if match}
        return {}

    def _text(self, url: str, limit_bytes: int) -> tuple[str, str]:
        """A page's text and the address it came from after redirects; '' for one that is not there, at first."""
        try:
            with self.line.ask("GET", url, patiently=True) as response:
                body = b""
                for chunk in response.iter_content(65536):
                    body += chunk
                    if len(body) > limit_bytes:
                        raise DownloadRefused(
                            f"{url} is larger than {limit_bytes // 1_000_000} MB, which is no list of a model's files. "
                            "Give the address of the model's own folder."
                        )
                return body.decode(response.encoding or "utf-8", errors="replace"), str(response.url)
        except Refused as error:
            if url == self.address.url and error.status in (403, 404):
                return "", url  # a server that lists no folders may still have SHA256SUMS
            raise


def _below(folder: str, link: str) -> str | None:
    """The name of what `link` on the page of `folder` means, if it lies directly below; a folder's has a slash."""
    try:
        address = urljoin(folder, link.strip())
        parts = urlsplit(address)
        _port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not same_host(address, folder):
        return None
    base = unquote(urlsplit(folder).path)
    path = unquote(parts.path)
    name = path.removeprefix(base)
    is_folder = name.endswith("/")
    name = name.rstrip("/")
    if not path.startswith(base) or not name or "/" in name or posixpath.normpath(path) != path.rstrip("/"):
        return None
    return f"{name}/" if is_folder else name
