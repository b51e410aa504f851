"""Downloads from a local hub: what is fetched, what is kept, what is checked, and what every failure says."""

import errno
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference import download, hub, library, line, origin, pipeline, transfer
from inference.errors import (
    DiskFull,
    DownloadFailed,
    DownloadRefused,
    ModelBroken,
    ModelNotFound,
    OriginUnreachable,
)
from unit.inference.hub_server import LocalHub, cut, git_sha1, hub_of, refuse, sha256, spoil
from unit.inference.local_server import Reply
from waiting import eventually

NAME = "Jean-Baptiste/camembert-ner"
URL = f"https://huggingface.co/{NAME}"
USELESS = (
    *(
        "pytorch_model.bin",
        "tf_model.h5",
        "flax_model.msgpack",
        "model.fp16.safetensors",
        "pytorch_model.bin.index.json",
    ),
    *("onnx/model.onnx", "onnx/config.json", "picture.png", ".gitattributes", "modeling.py", "trainer_state.json"),
)
WANTED = [".evergreen.json", "README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PAUSES_S", (0.01, 0.01, 0.01))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def remote(model_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """The tagger on the hub, between files that nobody needs."""
    files = {file.name: file.read_bytes() for file in (model_root / "camembert-ner").iterdir()}
    useless = {name: b"not needed " + name.encode() for name in USELESS}
    with hub_of(NAME, files | {"README.md": b"# A model"} | useless) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.hub.url)
        yield served


def find(root: Path, lines: list[str] | None = None, **more: Any) -> Path:
    log = [] if lines is None else lines
    return library.find("camembert-ner", **{"path": str(root), "model_url": URL, "log": log.append} | more)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".lock-"))


# What arrives


def test_a_model_is_downloaded_then_found(tmp_path: Path, remote: LocalHub) -> None:
    lines: list[str] = []
    folder = find(tmp_path, lines)
    assert folder == tmp_path / "camembert-ner"
    assert names(folder) == WANTED
    assert names(tmp_path) == ["camembert-ner"]
    assert all((folder / name).read_bytes() == remote.files[name] for name in WANTED[1:])
    assert lines[0].startswith(f"Downloading {NAME} from {remote.hub.url}: 1 weight files, ")
    assert lines[-1].startswith(f"Downloaded {NAME} (commit {remote.commit()}) to {folder}: ")
    before = len(remote.hub.requests)
    assert find(tmp_path) == folder
    assert len(remote.hub.requests) == before, "what is there is not asked for again"


def test_the_record_says_where_it_came_from(tmp_path: Path, remote: LocalHub) -> None:
    record = json.loads((find(tmp_path) / ".evergreen.json").read_text())
    assert (record["source"], record["repository"], record["revision"]) == (remote.hub.url, NAME, None)
    assert record["commit"] == remote.commit()
    assert record["date"].endswith("Z")
    weights = remote.files["model.safetensors"]
    assert record["files"]["model.safetensors"] == {
        "size_bytes": len(weights),
        "sha256": sha256(weights),
        "checked": "sha256",
    }
    assert record["files"]["config.json"]["checked"] == "git-sha1"


def test_a_host_opens_a_model_by_its_address(tmp_path: Path, remote: LocalHub) -> None:
    options = {"aggregation_strategy": "simple"}
    model = pipeline.open("camembert-ner", "ner", path=str(tmp_path), model_url=URL, options=options)
    answer = pipeline.run(model, {"inputs": "George Washington lived in washington"})
    assert [one["entity_group"] for one in answer.output] == ["PER", "LOC"]


def test_only_what_is_needed_is_sent(tmp_path: Path, remote: LocalHub) -> None:
    find(tmp_path)
    asked = " ".join(request.path for request in remote.hub.requests)
    assert not [name for name in USELESS if f"/{name}" in asked]
    assert {sent for name in USELESS for sent in remote.sent(name)} == set()


def test_an_old_short_name_leads_to_the_new_one(tmp_path: Path, remote: LocalHub) -> None:
    remote.aliases = ("camembert-ner",)
    folder = find(tmp_path, model_url="https://huggingface.co/camembert-ner")
    assert json.loads((folder / ".evergreen.json").read_text())["repository"] == NAME
    before = len(remote.hub.requests)
    find(tmp_path, model_url="https://huggingface.co/camembert-ner")
    find(tmp_path)
    assert len(remote.hub.requests) == before, "both names are of the same model"


def test_repo_id(tmp_path: Path, remote: LocalHub) -> None:
    assert names(find(tmp_path, model_url=None, repo_id=NAME)) == WANTED


def test_what_the_hubs_own_cache_holds_is_taken(
    tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache" / f"models--{NAME.replace('/', '--')}"
    snapshot = cache / "snapshots" / remote.commit()
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(remote.files["model.safetensors"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert names(find(tmp_path / "model")) == WANTED
    assert remote.sent("model.safetensors") == []


def test_progress_is_logged(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "REPORT_EVERY_S", 0.0)
    lines: list[str] = []
    find(tmp_path, lines)
    assert any("(100%), " in one and one.endswith("/s.") for one in lines)


def test_progress_is_not_logged_all_the_time(tmp_path: Path, remote: LocalHub) -> None:
    lines: list[str] = []
    find(tmp_path, lines)
    assert len(lines) == 2


def test_somebodys_data_is_left_there(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_TEXT_BYTES", 100_000)
    remote.files["everything.json"] = b" " * 100_001
    assert names(find(tmp_path)) == WANTED


def test_hosts_that_want_the_same_model_download_it_once(tmp_path: Path, remote: LocalHub) -> None:
    lines: list[str] = []
    threads = [threading.Thread(target=find, args=(tmp_path, lines)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert remote.sent("model.safetensors") == ["all"]
    assert names(tmp_path / "camembert-ner") == WANTED
    assert len([one for one in lines if one.startswith("Downloaded ")]) == 1


# Shards, pickled weights


def sharded(files: dict[str, bytes], folder: Path, names_of: str) -> dict[str, bytes]:
    """The same model with its weights in two shards of that name and an index."""
    from safetensors.torch import load, save

    weights = load(files["model.safetensors"])
    place = {name: names_of.format(1 + at % 2) for at, name in enumerate(weights)}
    parts = {
        shard: save({name: tensor for name, tensor in weights.items() if place[name] == shard}, {"format": "pt"})
        for shard in set(place.values())
    }
    index = json.dumps({"metadata": {}, "weight_map": place}).encode()
    rest = {name: data for name, data in files.items() if name != "model.safetensors"}
    return rest | parts | {"model.safetensors.index.json": index}


def test_shards_come_as_the_index_lists_them(tmp_path: Path, remote: LocalHub) -> None:
    remote.branches["main"] = sharded(remote.files, tmp_path, "weights-{}.safetensors")
    remote.files["consolidated.safetensors"] = b"the same once more"
    folder = find(tmp_path)
    assert {"weights-1.safetensors", "weights-2.safetensors", "model.safetensors.index.json"} <= set(names(folder))
    assert "consolidated.safetensors" not in names(folder)
    assert pipeline.open("camembert-ner", "ner", path=str(tmp_path)).note == ""


def test_an_index_may_not_lead_elsewhere(tmp_path: Path, remote: LocalHub) -> None:
    index = json.dumps({"weight_map": {"a": "../../other/model.safetensors"}}).encode()
    del remote.files["model.safetensors"]
    remote.files["model.safetensors.index.json"] = index
    with pytest.raises(DownloadFailed, match=r"lists \.\./\.\./other/model\.safetensors, which it does not have"):
        find(tmp_path)


def pickled(remote: LocalHub, content: Any = None) -> None:
    import io

    import torch
    from safetensors.torch import load

    weights = load(remote.files.pop("model.safetensors"))
    weights["tied.copy"] = next(iter(weights.values()))
    buffer = io.BytesIO()
    torch.save(weights if content is None else content, buffer)
    remote.files["pytorch_model.bin"] = buffer.getvalue()


def test_pickled_weights_are_refused(tmp_path: Path, remote: LocalHub) -> None:
    pickled(remote)
    with pytest.raises(DownloadFailed, match=r"no weights in the safetensors format .*set allow_pickle=true"):
        find(tmp_path)
    assert remote.sent("pytorch_model.bin") == []


def test_pickled_weights_become_safetensors_where_a_setting_allows_it(tmp_path: Path, remote: LocalHub) -> None:
    pickled(remote)
    folder = find(tmp_path, allow_pickle=True)
    assert names(folder) == WANTED
    assert pipeline.open("camembert-ner", "ner", path=str(tmp_path)).note == ""
    (folder / "tokenizer.json").unlink()
    find(tmp_path, allow_pickle=True)
    assert len(remote.sent("pytorch_model.bin")) == 1, "what was converted is kept when another file is missing"


def test_pickled_shards_too(tmp_path: Path, remote: LocalHub) -> None:
    import io

    import torch
    from safetensors.torch import load

    weights = load(remote.files.pop("model.safetensors"))
    place = {name: f"pytorch_model-0000{1 + at % 2}-of-00002.bin" for at, name in enumerate(weights)}
    for shard in set(place.values()):
        buffer = io.BytesIO()
        torch.save({name: weights[name] for name in weights if place[name] == shard}, buffer)
        remote.files[shard] = buffer.getvalue()
    remote.files["pytorch_model.bin.index.json"] = json.dumps({"metadata": {}, "weight_map": place}).encode()
    del remote.files["pytorch_model.bin"]
    folder = find(tmp_path, allow_pickle=True)
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    assert [name for name in names(folder) if name.startswith(("model", "pytorch"))] == shards
    assert pipeline.open("camembert-ner", "ner", path=str(tmp_path)).note == ""


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


def test_pickled_code_is_never_run(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickled(remote, {"a": Runs()})
    with pytest.raises(DownloadRefused, match="holds more than tensors"):
        find(tmp_path / "model", allow_pickle=True)
    assert not (tmp_path / "ran").exists()


# Revisions


def test_a_revision_is_pinned_to_its_commit(tmp_path: Path, remote: LocalHub) -> None:
    remote.branches["v2"] = remote.files | {"README.md": b"# The second"}
    folder = find(tmp_path, revision="v2")
    pinned = remote.commit("v2")
    assert json.loads((folder / ".evergreen.json").read_text())["commit"] == pinned
    remote.kept[pinned] = dict(remote.branches["v2"])
    remote.branches["v2"] = remote.files | {"README.md": b"# The second, changed", "tokenizer.json": b"{}"}
    (folder / "tokenizer.json").unlink()
    find(tmp_path, revision="v2")
    assert (folder / "tokenizer.json").read_bytes() == remote.files["tokenizer.json"], "mended from the same commit"
    before = len(remote.hub.requests)
    find(tmp_path, revision=pinned[:12])
    find(tmp_path, model_url=f"{URL}/tree/v2")
    assert len(remote.hub.requests) == before


def test_another_revision_replaces_the_folder_and_takes_what_is_the_same(tmp_path: Path, remote: LocalHub) -> None:
    remote.branches["v2"] = remote.files | {"README.md": b"# The second"}
    find(tmp_path)
    lines: list[str] = []
    folder = find(tmp_path, lines, revision="v2")
    assert (folder / "README.md").read_bytes() == b"# The second"
    assert f"holds {NAME}, revision main, commit {remote.commit()}; downloading {NAME} at v2" in lines[0]
    assert remote.sent("model.safetensors") == ["all"]
    assert names(tmp_path) == [".replaced-camembert-ner", "camembert-ner"]


def test_a_folder_of_unknown_origin_is_taken_as_it_is(tmp_path: Path, remote: LocalHub, model_root: Path) -> None:
    shutil.copytree(model_root / "camembert-ner", tmp_path / "camembert-ner")
    find(tmp_path, revision="v7")
    assert remote.hub.requests == []


def test_the_backbone_of_timm_is_avoided(tmp_path: Path, model_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The item as users type it: the main branch needs timm, the branch no_timm does not."""
    files = {file.name: file.read_bytes() for file in (model_root / "detr-resnet-50").iterdir()}
    config = json.loads(files["config.json"])
    config |= {"backbone_config": None, "backbone": "resnet50", "use_timm_backbone": True}
    main = files | {"config.json": json.dumps(config).encode(), "model.safetensors": b"\x02\0\0\0\0\0\0\0{}"}
    with hub_of("facebook/detr-resnet-50", main, no_timm=files) as remote:
        monkeypatch.setenv("HF_ENDPOINT", remote.hub.url)
        lines: list[str] = []
        settings = {"path": str(tmp_path), "model_url": "https://huggingface.co/facebook/detr-resnet-50"}
        model = pipeline.open("detr-resnet-50", "object-detection", log=lines.append, **settings)
        assert model.note == ""
        assert any("needs the package timm; taking its branch no_timm" in one for one in lines)
        assert remote.cdn.requests[0].path.startswith(f"/{sha256(files['model.safetensors'])}"), (
            "no weights for nothing"
        )
        record = origin.read(tmp_path / "detr-resnet-50")
        assert record is not None
        assert (record.revision, record.taken, record.commit) == (None, "no_timm", remote.commit("no_timm"))
        before = len(remote.hub.requests)
        library.find("detr-resnet-50", log=print, **settings)
        assert len(remote.hub.requests) == before
        (tmp_path / "detr-resnet-50" / "preprocessor_config.json").unlink()
        library.find("detr-resnet-50", log=print, **settings)
        assert origin.read(tmp_path / "detr-resnet-50") is not None
        del remote.branches["no_timm"]
        with pytest.raises(DownloadRefused, match="needs the package timm for its backbone, and has no branch no_timm"):
            library.find("other", log=print, **settings)
        with pytest.raises(DownloadRefused, match="Set revision=no_timm if the model has that branch"):
            library.find("other", log=print, revision="main", **settings)


# Cuts, damage, repair


def test_a_cut_is_resumed_at_once(tmp_path: Path, remote: LocalHub) -> None:
    remote.faults["model.safetensors"] = [cut(70_000), cut(70_000)]
    folder = find(tmp_path)
    assert remote.sent("model.safetensors") == ["all", "bytes=65536-", "bytes=131072-"]
    assert (folder / "model.safetensors").read_bytes() == remote.files["model.safetensors"]


def test_a_small_file_that_is_cut_comes_too(tmp_path: Path, remote: LocalHub) -> None:
    remote.faults["config.json"] = [cut(10)]
    assert names(find(tmp_path)) == WANTED


def test_a_server_that_falls_silent_is_left(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "SILENCE_S", 0.3)
    remote.faults["model.safetensors"] = [cut(70_000, stall_s=60.0)]
    began_s = time.monotonic()
    find(tmp_path)
    assert time.monotonic() - began_s < 30, "it is not the server that is waited for"
    assert remote.sent("model.safetensors") == ["all", "bytes=65536-"]


def test_a_download_that_fails_leaves_no_folder_and_goes_on_later(tmp_path: Path, remote: LocalHub) -> None:
    remote.faults["model.safetensors"] = [cut(70_000)] + [refuse(503)] * 9
    with pytest.raises(
        OriginUnreachable, match=rf"{NAME} \(model\.safetensors\) could not .*overloaded .*\(503"
    ) as caught:
        find(tmp_path)
    assert isinstance(caught.value, ConnectionError)
    assert names(tmp_path) == [".partial-camembert-ner"]
    with pytest.raises(ModelNotFound, match="holds no model yet"):
        find(tmp_path, model_url=None)
    remote.faults.clear()
    asked = len(remote.sent("tokenizer.json"))
    assert names(find(tmp_path)) == WANTED
    assert names(tmp_path) == ["camembert-ner"]
    assert len(remote.sent("tokenizer.json")) == asked, "what arrived whole is not fetched again"
    assert remote.sent("model.safetensors")[-1] == "bytes=65536-", "and what was cut goes on where it was cut"


def test_a_killed_process_goes_on_where_it_was(tmp_path: Path, remote: LocalHub) -> None:
    """kill -9 in the middle of the weights; the next process asks for the rest alone."""
    remote.faults["model.safetensors"] = [cut(70_000, stall_s=20.0)]
    code = f"from inference import library; library.find('camembert-ner', path={str(tmp_path)!r}, model_url={URL!r}, log=print)"
    started = subprocess.Popen([sys.executable, "-c", code], cwd=Path(download.__file__).parents[1])
    part = tmp_path / ".partial-camembert-ner" / ".parts"
    eventually(lambda: any(p.suffix != ".tag" and p.stat().st_size == 65_536 for p in part.glob("model*")))
    started.kill()
    started.wait()
    assert names(find(tmp_path)) == WANTED
    assert remote.sent("model.safetensors") == ["all", "bytes=65536-"]


def test_a_part_of_other_content_is_not_continued(tmp_path: Path, remote: LocalHub) -> None:
    remote.faults["model.safetensors"] = [cut(70_000)] + [refuse(500)] * 9
    with pytest.raises(DownloadFailed):
        find(tmp_path)
    remote.faults.clear()
    [part] = [p for p in (tmp_path / ".partial-camembert-ner" / ".parts").glob("model*") if p.suffix != ".tag"]
    part.write_bytes(b"x" * 65_536)  # the disk went wrong
    folder = find(tmp_path)
    assert remote.sent("model.safetensors")[-2:] == ["bytes=65536-", "all"]
    assert (folder / "model.safetensors").read_bytes() == remote.files["model.safetensors"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_wrong_hash(tmp_path: Path, remote: LocalHub, name: str) -> None:
    remote.faults[name] = [spoil] * 9
    with pytest.raises(
        DownloadFailed, match=rf"\({name}\) could not .*it arrived with (sha256|git hash) .* instead of "
    ):
        find(tmp_path)
    assert names(tmp_path) == [".partial-camembert-ner"]
    remote.faults.clear()
    assert names(find(tmp_path)) == WANTED


def test_a_missing_file_is_fetched_again_and_only_it(tmp_path: Path, remote: LocalHub) -> None:
    folder = find(tmp_path)
    (folder / "tokenizer.json").unlink()
    (folder / "README.md").unlink()
    remote.cdn.requests.clear()
    remote.hub.requests.clear()
    lines: list[str] = []
    assert names(find(tmp_path, lines)) == WANTED
    assert "lacks tokenizer.json, which came with the model. Bringing what is missing from" in lines[0]
    assert remote.cdn.requests == []
    sent = {request.path.rsplit("/", 1)[-1] for request in remote.hub.requests if "/resolve/" in request.path}
    assert sent == {"tokenizer.json", "README.md"}


def test_a_missing_file_without_an_address_is_told(tmp_path: Path, remote: LocalHub) -> None:
    folder = find(tmp_path)
    (folder / "tokenizer.json").unlink()
    warned: list[str] = []
    assert find(tmp_path, model_url=None, warn=warned.append) == folder
    assert warned == [f"{folder} lacks tokenizer.json, which came with the model."]


def test_a_readme_is_not_missed(tmp_path: Path, remote: LocalHub) -> None:
    (find(tmp_path) / "README.md").unlink()
    before = len(remote.hub.requests)
    find(tmp_path)
    assert len(remote.hub.requests) == before


def test_a_folder_that_is_not_whole_is_mended(tmp_path: Path, remote: LocalHub) -> None:
    folder = find(tmp_path)
    (folder / "model.safetensors").write_bytes(b"half")
    lines: list[str] = []
    assert names(find(tmp_path, lines)) == WANTED
    assert "is not whole (has a model.safetensors that is no safetensors file)" in lines[0]
    assert names(tmp_path) == [".replaced-camembert-ner", "camembert-ner"]
    assert len(remote.sent("config.json")) == 1


def test_a_broken_folder_survives_a_failed_repair(tmp_path: Path, remote: LocalHub) -> None:
    folder = find(tmp_path)
    (folder / "config.json").unlink()
    remote.down.add("config.json")
    with pytest.raises(DownloadFailed):
        find(tmp_path)
    assert (folder / "model.safetensors").is_file()
    with pytest.raises(ModelBroken, match=r"has no config\.json"):
        find(tmp_path, model_url=None)


# Away, slow, busy


def test_offline_uses_what_is_there(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = find(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert find(tmp_path) == folder
    (folder / "tokenizer_config.json").unlink()
    warned: list[str] = []
    assert find(tmp_path, warn=warned.append) == folder
    assert "lacks tokenizer_config.json" in warned[0]
    assert "It is used as it is, because: " in warned[0]
    with pytest.raises(
        OriginUnreachable, match=rf"holds {NAME}, revision main.*HF_HUB_OFFLINE forbids.*To use what is there"
    ):
        find(tmp_path, revision="v2")
    with pytest.raises(OriginUnreachable, match=r"HF_HUB_OFFLINE forbids to ask .*Unset it"):
        find(tmp_path / "elsewhere")


def test_a_hub_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        OriginUnreachable,
        match=r"could not be downloaded from http://127\.0\.0\.1:9: nobody listens .*copy the model's",
    ):
        find(tmp_path)


def test_a_name_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    with pytest.raises(OriginUnreachable, match="its name cannot be resolved; this machine is offline"):
        find(tmp_path)


def test_a_server_that_is_no_hub(tmp_path: Path, remote: LocalHub) -> None:
    remote.hub.answer = lambda _: Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
    with pytest.raises(DownloadRefused, match=r"does not answer as a hub does\. Correct HF_ENDPOINT"):
        find(tmp_path)


def test_a_process_that_began_offline(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OriginUnreachable, match=r"HF_HUB_OFFLINE forbids to ask .* start again"):
        find(tmp_path)


def test_a_hub_that_is_slow(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_ASK_S", 0.2)
    answer = remote.hub.answer
    remote.hub.answer = lambda request: (time.sleep(1.0), answer(request))[1]
    with pytest.raises(OriginUnreachable, match=r"it gives no answer in time\. Check the network"):
        find(tmp_path)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_hub_is_asked_again(tmp_path: Path, remote: LocalHub, status: int) -> None:
    remote.faults["info"] = [refuse(status, Retry_After="0")]
    remote.faults["model.safetensors"] = [refuse(status, Retry_After="0")]
    assert names(find(tmp_path)) == WANTED


def test_a_hub_that_stays_busy(tmp_path: Path, remote: LocalHub) -> None:
    remote.faults["info"] = [refuse(503)] * 9
    with pytest.raises(OriginUnreachable, match=r"overloaded or being repaired \(503, asked several times\)"):
        find(tmp_path)
    assert len(remote.hub.requests) == 1 + len(line.PAUSES_S)


def test_too_many_requests_for_long(tmp_path: Path, remote: LocalHub) -> None:
    remote.faults["info"] = [refuse(429, Retry_After="300")]
    with pytest.raises(OriginUnreachable, match=r"too many requests .*Try again in 300 s; with a token .*HF_TOKEN"):
        find(tmp_path)
    assert len(remote.hub.requests) == 1


# Refusals


def test_a_model_that_is_not_there(tmp_path: Path, remote: LocalHub) -> None:
    with pytest.raises(
        DownloadRefused, match=r"no such model, or it is private\. Check the spelling .*HF_TOKEN"
    ) as caught:
        find(tmp_path, model_url="https://huggingface.co/nobody/nothing")
    assert isinstance(caught.value, PermissionError)


def test_a_revision_that_is_not_there(tmp_path: Path, remote: LocalHub) -> None:
    with pytest.raises(DownloadRefused, match=r"has no revision 'v3'\. Correct the setting revision"):
        find(tmp_path, model_url=f"{URL}/tree/v3")


def test_a_wrong_token(tmp_path: Path, remote: LocalHub) -> None:
    with pytest.raises(
        DownloadRefused, match=r"does not accept the token \(wrong, expired or withdrawn\)\. Make a new"
    ) as caught:
        find(tmp_path, token="hf_wrong")
    assert "hf_wrong" not in str(caught.value)


def test_a_gated_model(tmp_path: Path, remote: LocalHub) -> None:
    remote.gated, remote.tokens = True, {"hf_new": False, "hf_approved": True}
    with pytest.raises(
        DownloadRefused, match=r"accept terms, and no token was given\. Accept them .*then give a token"
    ):
        find(tmp_path)
    with pytest.raises(DownloadRefused, match=r"accept terms, and the token has no access yet\. Accept them"):
        find(tmp_path, token="hf_new")
    assert names(find(tmp_path, token="hf_approved")) == WANTED


def test_a_private_model(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.private, remote.tokens = True, {"hf_mine": True}
    with pytest.raises(DownloadRefused, match="no such model, or it is private"):
        find(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    assert names(find(tmp_path)) == WANTED


def test_a_token_is_sent_to_the_hub_alone_and_not_shown(tmp_path: Path, remote: LocalHub) -> None:
    remote.tokens = {"hf_secret": True}
    lines: list[str] = []
    remote.faults["model.safetensors"] = [spoil] * 9
    with pytest.raises(DownloadFailed) as caught:
        find(tmp_path, lines, token="hf_secret")
    assert remote.hub.requests[0].headers["Authorization"] == "Bearer hf_secret"
    assert remote.cdn.requests
    assert not [request for request in remote.cdn.requests if "Authorization" in request.headers]
    remote.faults.clear()
    record = (find(tmp_path, lines, token="hf_secret") / ".evergreen.json").read_text()
    shown = str(caught.value) + "".join(lines) + record
    assert "hf_secret" not in shown
    assert "X-Signature" not in shown


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("config.json", "has no config.json, so transformers cannot run it"),
        ("model.safetensors", "no weights in the safe"),
    ],
)
def test_a_repository_that_cannot_be_used(tmp_path: Path, remote: LocalHub, gone: str, message: str) -> None:
    del remote.files[gone]
    with pytest.raises(DownloadFailed, match=message):
        find(tmp_path)


# The disk


def test_what_does_not_fit_is_not_begun(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_SPARE_BYTES", 10**18)  # no disk has so much to spare
    with pytest.raises(
        DiskFull, match=r"needs \d+ kB more on the disk of .*and .* are free\. Make room there, or set path"
    ):
        find(tmp_path)
    assert remote.sent("model.safetensors") == []


def test_a_disk_that_gets_full(tmp_path: Path, remote: LocalHub) -> None:
    """A real ENOSPC: the part of the weights is written to /dev/full."""
    parts = tmp_path / ".partial-camembert-ner" / ".parts"
    parts.mkdir(parents=True)
    full = parts / f"model.safetensors.{sha256(remote.files['model.safetensors'])[:16]}"
    full.symlink_to("/dev/full")
    with pytest.raises(DiskFull, match=r"is full, .* is not whole yet\. Make room there and try again") as caught:
        find(tmp_path)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    full.unlink()
    assert names(find(tmp_path)) == WANTED


def test_a_limit_on_the_size(tmp_path: Path, remote: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_MODEL_LIMIT_GB", "0.00005")
    with pytest.raises(DownloadRefused, match=r"more than is allowed .*raise EVERGREEN_MODEL_LIMIT_GB"):
        find(tmp_path)
    monkeypatch.setenv("EVERGREEN_MODEL_LIMIT_GB", "much")
    with pytest.raises(DownloadRefused, match="is no number"):
        find(tmp_path)


def test_git_hashes_are_gits(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"hello\n")
    assert transfer.git_sha1(file) == git_sha1(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
