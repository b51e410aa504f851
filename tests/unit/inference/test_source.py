"""Addresses, paths and data URIs: what may be read, and how much of it."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest

import paths
from inference import source
from inference.errors import InputRefused, SourceRefused
from unit.inference.local_server import Reply, Request, Server


@pytest.fixture
def private_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(source.PRIVATE_URLS, "1")


@pytest.mark.usefixtures("private_allowed")
def test_an_address_is_read(server: Server) -> None:
    server.answer = lambda _: Reply(200, b"bytes")
    assert source.read(f"{server.url}/a/cat.jpg?size=2") == b"bytes"
    assert server.requests[0].path == "/a/cat.jpg?size=2"
    assert server.requests[0].headers["Host"] == server.url.removeprefix("http://")


@pytest.mark.usefixtures("private_allowed")
def test_a_server_that_hangs_up_after_its_answer_is_read_too(server: Server) -> None:
    server.answer = lambda _: Reply(200, b"x" * 200_000, {"Connection": "close"})
    assert source.read(f"{server.url}/cat.jpg") == b"x" * 200_000


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8080/",
        "http://[::1]/",
        "http://0.0.0.0/",
        "http://2130706433/",  # 127.0.0.1 as one number
        "http://127.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.1.2.3/",
        "http://192.168.0.1/",
        "http://172.16.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://[fd00::1]/",
        "http://user:secret@127.0.0.1/",
    ],
)
def test_private_addresses_are_refused(url: str) -> None:
    with pytest.raises(
        SourceRefused, match=r"an address of this machine or a private network.*EVERGREEN_ALLOW_PRIVATE"
    ):
        source.read(url)


def test_a_name_that_means_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [entry])
    with pytest.raises(SourceRefused, match=r"cats\.example is 10\.0\.0\.7"):
        source.read("http://cats.example/cat.jpg")


@pytest.fixture
def public(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that counts as public and is answered by the local server."""
    connect = source._connect

    def connect_there(host: str, port: int, deadline_s: float) -> socket.socket:
        if host == "public.example":
            return socket.create_connection(("127.0.0.1", server.port))
        return connect(host, port, deadline_s)

    monkeypatch.setattr(source, "_connect", connect_there)
    return "http://public.example/start"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("http://127.0.0.1:9/secret", "private network"),
        ("http://169.254.169.254/", "private network"),
        ("file:///etc/passwd", "not http or https"),
        ("ftp://public.example/cat.jpg", "not http or https"),
        ("/start", "leads on more than 5 times"),
    ],
)
def test_redirects_are_checked_like_addresses(server: Server, public: str, target: str, message: str) -> None:
    server.answer = lambda _: Reply(302, headers={"Location": target})
    with pytest.raises(SourceRefused, match=message):
        source.read(public)


def test_a_redirect_is_followed(server: Server, public: str) -> None:
    def answer(request: Request) -> Reply:
        return Reply(200, b"cat") if request.path == "/end" else Reply(301, headers={"Location": "/end"})

    server.answer = answer
    assert source.read(public) == b"cat"


@pytest.mark.usefixtures("private_allowed")
def test_too_much_is_refused_while_it_comes(server: Server) -> None:
    server.answer = lambda _: Reply(200, b"x" * 300_000)
    with pytest.raises(SourceRefused, match="larger than 0 MB"):
        source.read(server.url, limit_bytes=100_000)
    assert source.read(server.url, limit_bytes=300_000) == b"x" * 300_000


@pytest.mark.usefixtures("private_allowed")
def test_a_server_that_does_not_answer(server: Server) -> None:
    def sleep(_: Request) -> Reply:
        time.sleep(60)
        return Reply(200)

    server.answer = sleep
    began_s = time.monotonic()
    with pytest.raises(SourceRefused, match=r"no answer within 0\.2 s\. Try again"):
        source.read(server.url, timeout_s=0.2)
    assert time.monotonic() - began_s < 30, "it is not the server that is waited for"


@pytest.mark.usefixtures("private_allowed")
@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(404), r"answered 404 Not Found\. Open the address in a browser"),
        (Reply(500), r"answered 500"),
        (Reply(200, b"x" * 1000, cut_at=10), r"could not be read: "),
        (Reply(302), r"answered 302"),
    ],
)
def test_answers_that_are_no_picture(server: Server, reply: Reply, message: str) -> None:
    server.answer = lambda _: reply
    with pytest.raises(SourceRefused, match=message):
        source.read(server.url)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("http://", "is no address"),
        ("http://host:99999/", "is no address"),
        ("http://host name/", "is no address"),
        ("http://[::1/", "is no address|private"),
        ("gopher://host/", "not http or https"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,????", "no base64"),
    ],
)
def test_references_that_mean_nothing(reference: str, message: str) -> None:
    with pytest.raises(SourceRefused, match=message):
        source.read(reference)


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SourceRefused, match=r"could not be read: .*Name or service not known.*Check the address"):
        source.read("https://nobody.invalid/cat.jpg")


@pytest.mark.parametrize(
    ("uri", "data"),
    [("data:,a%20b", b"a b"), ("data:text/plain;charset=utf-8;base64,YQ==", b"a"), ("data:;base64,YQ==", b"a")],
)
def test_data_uris(uri: str, data: bytes) -> None:
    assert source.read(uri) == data


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_ALLOWED_PATHS", str(tmp_path))
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    assert source.read(str(tmp_path / "cat.jpg")) == b"cat"
    with pytest.raises(InputRefused, match="no file"):
        source.read(str(tmp_path / "dog.jpg"))
    with pytest.raises(InputRefused, match="no file"):
        source.read(str(tmp_path))
    with pytest.raises(SourceRefused, match="larger than"):
        source.read(str(tmp_path / "cat.jpg"), limit_bytes=2)
    (tmp_path / "link.jpg").symlink_to("/etc/hostname")
    with pytest.raises(paths.PathNotAllowed):
        source.read(str(tmp_path / "link.jpg"))
    with pytest.raises(paths.PathNotAllowed):
        source.read("cat\0.jpg")
