"""A local server of covers that behaves like Open Library's: limits by ISBN, empty pictures, 404s, redirects, failures."""

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

EMPTY = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00"
    b"\x01\x00\x00\x02\x02D\x01\x00;"
)
HTML = b"<!DOCTYPE html><html><body>Covers are being moved.</body></html>"
_PATH = re.compile(r"/b/(id|isbn)/(\w+)-M\.jpg")


class Covers:
    """What the server has and does: `pictures` by number; `first` answers once with a status before the true answer."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}
        self.empty: set[str] = set()
        self.first: dict[str, list[int]] = {}
        self.always = 0
        self.by_isbn = 100
        self.window_s = 300.0
        self.delay_s = 0.0
        self.requests: list[tuple[float, str]] = []
        self.refused = Counter[str]()
        self.most_at_once = 0
        self._now = 0
        self._turns: deque[float] = deque()
        self._lock = threading.Lock()
        self.url = ""

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        match = _PATH.fullmatch(path)
        if path.startswith("/moved/"):
            return 200, {"Content-Type": "image/jpeg"}, self.pictures[path.removeprefix("/moved/")]
        if not match:
            return 404, {}, b"not found"
        kind, number = match.groups()
        with self._lock:
            self.requests.append((time.monotonic(), number))
            if kind == "isbn" and not self._turn():
                self.refused["isbn"] += 1
                return 403, {"Content-Type": "text/html"}, HTML
            if self.always:
                return self.always, {}, b""
            if self.first.get(number):
                status = self.first[number].pop(0)
                return status, {"Retry-After": "0"} if status == 429 else {}, HTML
        time.sleep(self.delay_s)
        if number in self.pictures:
            return 302, {"Location": f"{self.url}/moved/{number}"}, b""
        if query.get("default") == ["false"] and number not in self.empty:
            return 404, {}, b"not found"
        return 200, {"Content-Type": "image/gif"}, EMPTY

    def _turn(self) -> bool:
        now = time.monotonic()
        while self._turns and self._turns[0] < now - self.window_s:
            self._turns.popleft()
        if len(self._turns) >= self.by_isbn:
            return False
        self._turns.append(now)
        return True

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def serving(covers: Covers) -> Iterator[str]:
    """The server's address, while it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            with covers.counted():
                status, headers, body = covers.answer(parts.path, parse_qs(parts.query))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    covers.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield covers.url
    finally:
        server.shutdown()
        server.server_close()
