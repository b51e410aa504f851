"""Models from plain web folders: index pages of several servers, sums, cuts, and what such a page may not do."""

import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from inference import library, line, pipeline, webfolder
from inference.errors import DownloadFailed, DownloadRefused, OriginUnreachable
from unit.inference.hub_server import cut, ranged, refuse, sha256, spoil
from unit.inference.local_server import Reply, Request, Server, serving

NEEDED = [".evergreen.json", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
FOLDER = "/models/my%20ner/"


def python_page(names: list[str]) -> str:
    return "<ul>" + "".join(f'<li><a href="{quote(name)}">{name}</a></li>' for name in names) + "</ul>"


def apache_page(names: list[str]) -> str:
    rows = "".join(
        f'<tr><td><img src="/icons/unknown.gif"></td><td><a href="{quote(name)}">{name[:20]}..&gt;</a></td></tr>'
        for name in names
    )
    return (
        "<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 3.2 Final//EN'><html><body><h1>Index of /models</h1><table>"
        '<tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>'
        f'<tr><td><a href="/models/">Parent Directory</a></td></tr>{rows}</table></body></html>'
    )


def nginx_page(names: list[str]) -> str:
    rows = "\r\n".join(f'<a href="{quote(name)}">{name}</a>      20-Nov-2026 10:00     12345' for name in names)
    return f'<html><head><title>Index</title></head><body><pre><a href="../">../</a>\r\n{rows}</pre></body></html>'


def absolute_page(names: list[str]) -> str:
    return "".join(f'<a class="file" href="{FOLDER}{quote(name)}?download=1">{name}</a>' for name in names)


class Web:
    """A web server with one folder. `faults[name]` are what the next answers for that file are made to."""

    def __init__(self, server: Server, files: dict[str, bytes]) -> None:
        self.server, self.files = server, files
        self.page: Callable[[list[str]], str] = nginx_page
        self.extra = ""
        self.ranges, self.heads, self.tags = True, True, True
        self.faults: dict[str, list[Callable[[Reply], Reply]]] = {}
        self.elsewhere: dict[str, str] = {}
        server.answer = self._answer

    @property
    def url(self) -> str:
        return self.server.url + FOLDER

    def sums(self) -> None:
        listed = (f"{sha256(data)}  {name}\n" for name, data in self.files.items())
        self.files["SHA256SUMS"] = "".join(listed).encode()

    def sent(self, name: str) -> list[str]:
        found = [
            request for request in self.server.requests if unquote(request.path.split("?")[0]).endswith(f"/{name}")
        ]
        return [request.headers.get("Range", "all") for request in found if request.method == "GET"]

    def _answer(self, request: Request) -> Reply:
        path = unquote(urlsplit(request.path).path)
        below = unquote(FOLDER)
        if not path.startswith(below):
            return Reply(404)
        name = path.removeprefix(below)
        if name in self.elsewhere:
            return Reply(302, b"", {"Location": self.elsewhere[name]})
        reply = self._file(request, name)
        if (request.method == "GET" or not name) and self.faults.get(name):
            return self.faults[name].pop(0)(reply)
        return reply

    def _file(self, request: Request, name: str) -> Reply:
        if not name or name.endswith("/"):
            inside = {other.removeprefix(name) for other in self.files if other.startswith(name)}
            listed = sorted({one if "/" not in one else one.split("/")[0] + "/" for one in inside})
            html = {"Content-Type": "text/html; charset=utf-8"}
            return Reply(200, (self.page(listed) + (self.extra if not name else "")).encode(), html)
        if name not in self.files:
            return Reply(404)
        if request.method == "HEAD" and not self.heads:
            return Reply(405)
        headers = {"ETag": f'"{sha256(self.files[name])[:8]}"'} if self.tags else {}
        if not self.ranges:
            return Reply(200, self.files[name], headers)
        return ranged(request, self.files[name], headers)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PAUSES_S", (0.01, 0.01))


@pytest.fixture
def web(server: Server, model_root: Path) -> Web:
    files = {file.name: file.read_bytes() for file in (model_root / "camembert-ner").iterdir()}
    return Web(server, files | {"pytorch_model.bin": b"not needed", "picture.png": b"not needed", "onnx/a.onnx": b"no"})


def find(root: Path, web: Web, lines: list[str] | None = None, **more: Any) -> Path:
    log = [] if lines is None else lines
    return library.find("ner", **{"path": str(root), "model_url": web.url, "log": log.append} | more)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".lock-"))


@pytest.mark.parametrize("page", [python_page, apache_page, nginx_page, absolute_page])
def test_the_files_are_found_on_the_page(tmp_path: Path, web: Web, page: Callable[[list[str]], str]) -> None:
    web.page = page
    lines: list[str] = []
    folder = find(tmp_path, web, lines)
    assert names(folder) == NEEDED
    assert all((folder / name).read_bytes() == web.files[name] for name in NEEDED[1:])
    assert web.sent("pytorch_model.bin") == web.sent("a.onnx") == []
    assert lines[-1].startswith(f"Downloaded {web.url} to {folder}: ")
    assert pipeline.open("ner", "ner", path=str(tmp_path)).note == ""
    before = len(web.server.requests)
    find(tmp_path, web)
    assert len(web.server.requests) == before


def test_a_genuine_python_server(tmp_path: Path, model_root: Path) -> None:
    """`python -m http.server`, which knows no ranges."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(model_root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{httpd.server_port}/camembert-ner"  # it redirects to the folder with a slash
        assert names(library.find("ner", path=str(tmp_path), model_url=url, log=print)) == NEEDED
        httpd.shutdown()


def test_the_record(tmp_path: Path, web: Web) -> None:
    lines: list[str] = []
    record = json.loads((find(tmp_path, web, lines) / ".evergreen.json").read_text())
    assert lines[0].endswith("No hashes are published: only sizes are checked.")
    assert (record["source"], record["repository"], record["commit"]) == (web.url, None, None)
    assert record["files"]["model.safetensors"]["checked"] == "size"
    assert record["files"]["model.safetensors"]["sha256"] == sha256(web.files["model.safetensors"])


def test_sums_are_honoured(tmp_path: Path, web: Web) -> None:
    web.sums()
    lines: list[str] = []
    record = json.loads((find(tmp_path, web, lines) / ".evergreen.json").read_text())
    assert "No hashes" not in "".join(lines)
    assert {entry["checked"] for entry in record["files"].values()} == {"sha256"}


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_file_that_is_not_as_the_sums_say(tmp_path: Path, web: Web, name: str) -> None:
    web.sums()
    web.faults[name] = [spoil] * 5
    with pytest.raises(DownloadFailed, match=rf"{name} could not be downloaded: it arrived with sha256 .*SHA256SUMS"):
        find(tmp_path, web)
    assert names(tmp_path) == [".partial-ner"]
    web.faults.clear()
    assert names(find(tmp_path, web)) == NEEDED


def test_sums_alone_are_a_list(tmp_path: Path, web: Web) -> None:
    """A server that lists no folders."""
    web.sums()
    web.faults[""] = [refuse(403)]
    assert names(find(tmp_path, web)) == NEEDED


@pytest.mark.parametrize("sums", [True, False])
def test_a_cut_is_resumed(tmp_path: Path, web: Web, sums: bool) -> None:
    if sums:
        web.sums()
    web.faults["model.safetensors"] = [cut(70_000)]
    folder = find(tmp_path, web)
    assert web.sent("model.safetensors") == ["all", "bytes=65536-"]
    assert (folder / "model.safetensors").read_bytes() == web.files["model.safetensors"]


@pytest.mark.parametrize("sums", [True, False])
def test_a_later_try_goes_on(tmp_path: Path, web: Web, sums: bool) -> None:
    if sums:
        web.sums()
    web.faults["model.safetensors"] = [cut(70_000), *[refuse(503)] * 5]
    with pytest.raises(OriginUnreachable, match=r"the server is busy \(503, asked several times\)"):
        find(tmp_path, web)
    web.faults.clear()
    find(tmp_path, web)
    assert web.sent("model.safetensors")[-1] == "bytes=65536-"


def test_a_file_that_changed_meanwhile_is_begun_anew(tmp_path: Path, web: Web) -> None:
    web.faults["model.safetensors"] = [cut(70_000), *[refuse(503)] * 5]
    with pytest.raises(DownloadFailed):
        find(tmp_path, web)
    web.faults.clear()
    old = web.files["model.safetensors"]
    web.files["model.safetensors"] = old[:-1] + bytes([old[-1] ^ 1])
    folder = find(tmp_path, web)
    assert (folder / "model.safetensors").read_bytes() == web.files["model.safetensors"]


@pytest.mark.parametrize("lacking", ["ranges", "heads", "tags"])
def test_servers_that_can_less(tmp_path: Path, web: Web, lacking: str) -> None:
    setattr(web, lacking, False)
    web.faults["model.safetensors"] = [cut(70_000)]
    folder = find(tmp_path, web)
    assert (folder / "model.safetensors").read_bytes() == web.files["model.safetensors"]


def test_what_arrived_whole_is_kept(tmp_path: Path, web: Web) -> None:
    """Without sums, what the server says of a file's version tells whether it is the same."""
    from safetensors.torch import load, save

    weights = load(web.files.pop("model.safetensors"))
    place = {name: f"model-{1 + at % 2}.safetensors" for at, name in enumerate(weights)}
    for shard in set(place.values()):
        web.files[shard] = save({name: weights[name] for name in weights if place[name] == shard}, {"format": "pt"})
    web.files["model.safetensors.index.json"] = json.dumps({"weight_map": place}).encode()
    web.faults["model-2.safetensors"] = [refuse(503)] * 5
    with pytest.raises(OriginUnreachable):
        find(tmp_path, web)
    web.faults.clear()
    find(tmp_path, web)
    assert len(web.sent("model-1.safetensors")) == 1


def test_a_missing_file_is_fetched_again_and_only_it(tmp_path: Path, web: Web) -> None:
    folder = find(tmp_path, web)
    (folder / "tokenizer.json").unlink()
    web.server.requests.clear()
    assert names(find(tmp_path, web)) == NEEDED
    sent = {request.path.rsplit("/", 1)[-1] for request in web.server.requests if request.method == "GET"}
    assert sent == {"", "SHA256SUMS", "tokenizer.json"}


def test_chat_templates_are_the_one_folder_that_is_read(tmp_path: Path, web: Web) -> None:
    web.files["additional_chat_templates/tool.jinja"] = b"{{ messages }}"
    web.files["secret/other.json"] = b"{}"
    folder = find(tmp_path, web)
    assert (folder / "additional_chat_templates" / "tool.jinja").read_bytes() == b"{{ messages }}"
    assert not [request.path for request in web.server.requests if "secret" in request.path]


BAD_LINKS = (
    *("../other/evil.json", "/etc/evil.json", "%2e%2e/evil.json", "..%2fevil.json", "a%2fevil.json", ".evil.json"),
    *(
        "a/../../evil.json",
        "C:%5Cevil.json",
        "evil%00.json",
        "http://127.0.0.1:1/evil.json",
        "//evil.example/evil.json",
    ),
    *("ftp://127.0.0.1/evil.json", "javascript:evil.json", "http://[::1/evil.json", "sub/evil.json", "evil%0a.json"),
)


def test_links_that_lead_elsewhere_are_not_followed(tmp_path: Path, web: Web) -> None:
    web.extra = "".join(f'<a href="{link}">evil</a>' for link in BAD_LINKS)
    assert names(find(tmp_path, web)) == NEEDED
    assert not [request.path for request in web.server.requests if "evil" in request.path]
    assert names(tmp_path) == ["ner"]


def test_names_in_sums_are_checked_too(tmp_path: Path, web: Web) -> None:
    web.sums()
    web.files["SHA256SUMS"] += b"".join(
        b"%s  %s\n" % (b"0" * 64, name) for name in (b"../evil.json", b"/tmp/evil.json")
    )
    assert names(find(tmp_path, web)) == NEEDED


@pytest.mark.parametrize("name", ["", "model.safetensors", "config.json"])
def test_another_host_is_refused(tmp_path: Path, web: Web, name: str) -> None:
    with serving() as other:
        other.answer = lambda _: Reply(200, b"{}")
        web.elsewhere[name] = f"{other.url}/{name}"
        with pytest.raises(DownloadRefused, match=r"leads to http://127\.0\.0\.1.*only be read from its own host"):
            find(tmp_path, web)
        assert other.requests == []


def test_the_same_host_may_lead_on(tmp_path: Path, web: Web) -> None:
    web.elsewhere["model.safetensors"] = f"{FOLDER}blob-17"
    web.files["blob-17"] = web.files["model.safetensors"]
    assert names(find(tmp_path, web)) == NEEDED


def test_a_circle_of_redirects_ends(tmp_path: Path, web: Web) -> None:
    web.elsewhere["config.json"] = f"{FOLDER}config.json"
    with pytest.raises(DownloadRefused, match="more than 5 redirects"):
        find(tmp_path, web)


def test_limits(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_MODEL_LIMIT_GB", "0.00005")
    with pytest.raises(DownloadRefused, match="more than is allowed"):
        find(tmp_path, web)
    web.heads = False  # then the size shows while it comes
    with pytest.raises(DownloadRefused, match="more than is allowed"):
        find(tmp_path, web)
    monkeypatch.delenv("EVERGREEN_MODEL_LIMIT_GB")
    monkeypatch.setattr(webfolder, "PAGE_BYTES", 100)
    with pytest.raises(DownloadRefused, match="no list of a model's files"):
        find(tmp_path, web)
    monkeypatch.undo()
    web.extra = "".join(f'<a href="{number}.json">' for number in range(600))
    with pytest.raises(DownloadRefused, match=r"lists 60\d files, and a model has at most 500"):
        find(tmp_path, web)


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (401, DownloadRefused, r"asks for a user and a password \(401\)\. .*~/\.netrc"),
        (403, DownloadRefused, r"access is refused \(403\)"),
        (404, DownloadRefused, r"is not there \(404\)\. Correct model_url"),
        (503, OriginUnreachable, r"busy \(503, asked several times\)\. Try later"),
        (418, DownloadFailed, r"answered 418\. Open the address in a browser, correct"),
    ],
)
def test_refusals_of_a_file(tmp_path: Path, web: Web, status: int, kind: type[Exception], message: str) -> None:
    web.faults["config.json"] = [refuse(status)] * 5
    with pytest.raises(kind, match=message):
        find(tmp_path, web)


@pytest.mark.parametrize("status", [403, 404])
def test_a_folder_that_is_not_there(tmp_path: Path, web: Web, status: int) -> None:
    web.faults[""] = [refuse(status)]
    with pytest.raises(
        DownloadRefused, match=r"lists no files: .*Give the address of the page that lists config\.json"
    ):
        find(tmp_path, web)


def test_a_page_that_is_no_list(tmp_path: Path, web: Web) -> None:
    web.page = lambda _: "\x00\xff<<<a href=</a <a>"
    with pytest.raises(DownloadRefused, match="lists no files"):
        find(tmp_path, web)


def test_a_page_without_a_model(tmp_path: Path, web: Web) -> None:
    del web.files["config.json"]
    with pytest.raises(DownloadFailed, match=r"has no config\.json"):
        find(tmp_path, web)


def test_a_server_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(OriginUnreachable, match=r"http://127\.0\.0\.1:9/ner/ could not be downloaded: nobody listens"):
        library.find("ner", path=str(tmp_path), model_url="http://127.0.0.1:9/ner", log=print)


def test_the_hubs_token_stays_at_home(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    find(tmp_path, web, token="hf_other")
    assert not [request for request in web.server.requests if "Authorization" in request.headers]


def test_a_password_of_netrc_is_given(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password verysecret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    record = (find(tmp_path / "model", web) / ".evergreen.json").read_text()
    assert web.server.requests[0].headers["Authorization"].startswith("Basic ")
    assert "verysecret" not in record


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as served:
        yield served
