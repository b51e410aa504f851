"""Downloads from a server that speaks the hub's protocol: listing, commits, resumable files, its errors."""

import hashlib
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from inference import hub, library, pipeline
from inference.errors import DownloadFailed, ModelNotFound
from unit.inference.local_server import Reply, Request, Server

COMMIT = "c0ffee" + "0" * 34
NAME = "Jean-Baptiste/camembert-ner"
URL = f"https://huggingface.co/{NAME}"


class Hub:
    """The files of one repository, as the hub serves them; `cuts` says after how many bytes a file's answer ends."""

    def __init__(self, server: Server, files: dict[str, bytes]) -> None:
        self.files = files
        self.cuts: dict[str, int] = {}
        self.down: set[str] = set()
        self.refusal: Reply | None = None
        self.sent: list[str] = []
        server.answer = self.answer

    def answer(self, request: Request) -> Reply:
        if self.refusal is not None:
            return self.refusal
        path = request.path.split("?")[0]
        if path in (f"/api/models/{NAME}", f"/api/models/{NAME}/revision/v2"):
            listed = [{"rfilename": name, "size": len(data), "blobId": "b"} for name, data in self.files.items()]
            return Reply(200, json.dumps({"id": NAME, "sha": COMMIT, "siblings": listed}).encode())
        root = f"/{NAME}/resolve/{COMMIT}/"
        if path.startswith(root) and path.removeprefix(root) in self.files:
            return self._file(request, path.removeprefix(root))
        code = "RevisionNotFound" if "/revision/" in path else "RepoNotFound"
        return Reply(404, b'{"error": "not found"}', {"X-Error-Code": code})

    def _file(self, request: Request, name: str) -> Reply:
        if name in self.down and request.method == "GET":
            return Reply(500)
        data = self.files[name]
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        first = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        if request.method == "GET":
            self.sent.append(name)
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        cut_at = self.cuts.pop(name, None) if request.method == "GET" else None
        return Reply(206 if first else 200, data[first:], headers, cut_at)


@pytest.fixture
def remote(server: Server, model_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """The tagger on the hub, between files that nobody needs."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    files = {file.name: file.read_bytes() for file in (model_root / "camembert-ner").iterdir()}
    useless = (
        "pytorch_model.bin",
        "tf_model.h5",
        "model.fp16.safetensors",
        "onnx/config.json",
        "picture.png",
        ".gitattributes",
    )
    return Hub(server, files | {"README.md": b"# A model"} | dict.fromkeys(useless, b"not needed"))


def find(root: Path, lines: list[str] | None = None, **more: Any) -> Path:
    log = [] if lines is None else lines
    return library.find("camembert-ner", **{"path": str(root), "model_url": URL, "log": log.append} | more)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


WANTED = ["README.md", "config.json", "model.safetensors", "origin.json", "tokenizer.json", "tokenizer_config.json"]


def test_a_model_is_downloaded_then_found(tmp_path: Path, remote: Hub, server: Server) -> None:
    lines: list[str] = []
    folder = find(tmp_path, lines)
    assert folder == tmp_path / "camembert-ner"
    assert names(folder) == WANTED
    assert names(tmp_path) == ["camembert-ner"]
    assert all((folder / name).read_bytes() == remote.files[name] for name in WANTED if name != "origin.json")
    origin = json.loads((folder / "origin.json").read_text())
    assert origin == {"endpoint": server.url, "repository": NAME, "commit": COMMIT}
    assert lines[0].startswith(f"Downloading {NAME} from {server.url}: 5 files, ")
    assert lines[-1].startswith(f"Downloaded {NAME} to {folder}")
    before = len(server.requests)
    assert find(tmp_path) == folder
    assert len(server.requests) == before, "what is there is not asked for again"


def test_a_host_opens_a_model_by_its_address(tmp_path: Path, remote: Hub) -> None:
    options = {"aggregation_strategy": "simple"}
    model = pipeline.open("camembert-ner", "ner", path=str(tmp_path), model_url=URL, options=options)
    answer = pipeline.run(model, {"inputs": "George Washington lived in washington"})
    assert [one["entity_group"] for one in answer.output] == ["PER", "LOC"]


def test_progress_is_logged(tmp_path: Path, remote: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_REPORT_EVERY_S", 0.0)
    lines: list[str] = []
    find(tmp_path, lines)
    assert any(line.endswith("(100%).") for line in lines)


def test_hosts_that_want_the_same_model_download_it_once(tmp_path: Path, remote: Hub) -> None:
    threads = [threading.Thread(target=find, args=(tmp_path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert remote.sent.count("model.safetensors") == 1
    assert names(tmp_path / "camembert-ner") == WANTED


def test_a_cut_is_resumed_at_once(tmp_path: Path, remote: Hub) -> None:
    remote.cuts["model.safetensors"] = 50_000
    folder = find(tmp_path)
    assert remote.sent.count("model.safetensors") == 2
    assert (folder / "model.safetensors").read_bytes() == remote.files["model.safetensors"]


def test_a_download_that_fails_leaves_no_folder_and_goes_on_later(tmp_path: Path, remote: Hub) -> None:
    remote.down.add("model.safetensors")
    with pytest.raises(
        DownloadFailed, match=rf"{NAME} \(model\.safetensors\) could not be downloaded .*try again"
    ) as caught:
        find(tmp_path)
    assert isinstance(caught.value, ConnectionError)
    assert names(tmp_path) == [".partial-camembert-ner"]
    with pytest.raises(ModelNotFound, match="holds no model yet"):
        find(tmp_path, model_url=None)
    remote.down.clear()
    assert names(find(tmp_path)) == WANTED
    assert names(tmp_path) == ["camembert-ner"]
    assert remote.sent.count("config.json") == 1, "what arrived whole is not fetched again"


def test_what_another_address_left_behind_is_not_used(tmp_path: Path, remote: Hub) -> None:
    remote.down.add("model.safetensors")
    with pytest.raises(DownloadFailed):
        find(tmp_path)
    remote.down.clear()
    (tmp_path / ".partial-camembert-ner" / "merges.txt").write_text("of another model")
    assert "merges.txt" not in names(find(tmp_path, revision="v2"))


def test_a_folder_that_is_not_whole_is_downloaded_again(tmp_path: Path, remote: Hub) -> None:
    folder = find(tmp_path)
    (folder / "model.safetensors").write_bytes(b"half")
    lines: list[str] = []
    assert names(find(tmp_path, lines)) == WANTED
    assert "is not whole (has a model.safetensors that is no safetensors file)" in lines[0]
    assert names(tmp_path) == [".replaced-camembert-ner", "camembert-ner"]


def test_a_broken_folder_survives_a_failed_repair(tmp_path: Path, remote: Hub) -> None:
    folder = find(tmp_path)
    (folder / "config.json").unlink()
    remote.down.add("model.safetensors")
    with pytest.raises(DownloadFailed):
        find(tmp_path)
    assert (folder / "model.safetensors").is_file()


def refusal(status: int, code: str = "") -> Reply:
    return Reply(status, b'{"error": "no"}', {"X-Error-Code": code, "X-Error-Message": "no"} if code else {})


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (refusal(404, "RepoNotFound"), r"no such model, or it is private\. Check the spelling of model_url"),
        (refusal(401, "RepoNotFound"), r"no such model, or it is private\. .*HF_TOKEN"),
        (refusal(403, "GatedRepo"), r"asks readers to accept terms\. Accept them on the model's page"),
        (refusal(404, "RevisionNotFound"), r"has no revision None\. Correct the setting revision"),
        (refusal(418), r"Check the network and try again"),
    ],
)
def test_refusals(tmp_path: Path, remote: Hub, reply: Reply, message: str) -> None:
    remote.refusal = reply
    with pytest.raises(DownloadFailed, match=message):
        find(tmp_path)
    assert not (tmp_path / "camembert-ner").exists()


def test_a_revision(tmp_path: Path, remote: Hub, server: Server) -> None:
    find(tmp_path, revision="v2")
    assert f"/api/models/{NAME}/revision/v2" in server.requests[0].path
    shutil.rmtree(tmp_path / "camembert-ner")
    with pytest.raises(DownloadFailed, match="has no revision 'v3'"):
        find(tmp_path, model_url=f"{URL}/tree/v3")


def test_a_server_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        DownloadFailed, match=r"could not be downloaded from http://127\.0\.0\.1:9: .*copy the model's folder"
    ):
        find(tmp_path)


def test_a_token_is_sent_and_not_shown(tmp_path: Path, remote: Hub, server: Server) -> None:
    lines: list[str] = []
    remote.down.add("model.safetensors")
    with pytest.raises(DownloadFailed) as caught:
        find(tmp_path, lines, token="hf_secret")
    assert server.requests[0].headers["Authorization"] == "Bearer hf_secret"
    assert "hf_secret" not in str(caught.value) + "".join(lines)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_repository_that_cannot_be_used(tmp_path: Path, remote: Hub, missing: str) -> None:
    del remote.files[missing]
    message = (
        "has no config.json"
        if missing == "config.json"
        else r"no weights in the safetensors format .*pytorch_model\.bin"
    )
    with pytest.raises(DownloadFailed, match=message):
        find(tmp_path)


def test_shards_are_needed_with_their_index() -> None:
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    everything = ["config.json", "model.safetensors.index.json", *shards, "consolidated.safetensors", "tokenizer.model"]
    wanted = hub.needed(everything, hub.Address("a/b"))
    assert wanted == ["config.json", "model.safetensors.index.json", "tokenizer.model", *shards]


@pytest.mark.parametrize(
    ("url", "repository", "revision"),
    [
        ("https://huggingface.co/gpt2", "gpt2", None),
        ("https://huggingface.co/Jean-Baptiste/camembert-ner", NAME, None),
        ("https://huggingface.co/facebook/detr-resnet-50/", "facebook/detr-resnet-50", None),
        ("https://huggingface.co/facebook/detr-resnet-50/tree/no_timm", "facebook/detr-resnet-50", "no_timm"),
        ("https://huggingface.co/gpt2/tree/refs%2Fpr%2F1", "gpt2", "refs/pr/1"),
        (" huggingface.co/gpt2?library=transformers ", "gpt2", None),
        ("https://hf.co/gpt2", "gpt2", None),
    ],
)
def test_addresses(url: str, repository: str, revision: str | None) -> None:
    assert hub.parse(url) == hub.Address(repository, revision)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/gpt2",
        "https://huggingface.co/",
        "https://huggingface.co/datasets/sst5",
        "https://huggingface.co/a/b/c/d",
        "gpt2",
        "https://huggingface.co.evil.example/gpt2",
    ],
)
def test_addresses_of_no_model(url: str) -> None:
    with pytest.raises(DownloadFailed, match=r"Give model_url as https://huggingface\.co/owner/name"):
        hub.parse(url)
