"""A text that is handed on while a real model, a tiny one, writes it."""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny_models
from api import streams
from evergreen_client import Evergreen, ItemFailed
from inference import pipeline, streaming
from inference.errors import InputRefused
from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.app import create_api
from irislite.web.applications import applications_of
from runtime.web.serving import serving

PRODUCTION = """
from iop import Production
import bo, bs

production = Production("Application.Writing")
production.service("Application API", bs.ApplicationService)
production.operation("Writer", bo.MLOperation, class_name="Python.MLOperation",
    settings={{"%settings": "path={models}\\nname=gpt2\\ntask=text-generation\\nenergy=false"}})
PRODUCTIONS = [production]
APPLICATIONS = {{"/api/v1": "api.app:create"}}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_models.build("gpt2", folder / "gpt2")
    return folder


@pytest.fixture(scope="module")
def evergreen(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evergreen]:
    from api.keys import Keys

    folder = tmp_path_factory.mktemp("writing")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EVERGREEN_DATA", str(folder / "data"))
        environment.setenv("EVERGREEN_RUN", str(folder / "run"))
        file = folder / "writing_production.py"
        file.write_text(PRODUCTION.format(models=models))
        director = Director(folder / "home", synchronous="NORMAL")
        director.load(file)
        director.start()
        keys = Keys.open()
        key = keys.create("writer", "operator")[1]
        keys.close()
        accounts = Accounts.open(folder / "home", "SuperUser", "password")
        with (
            serving(create_api(director, accounts, applications=applications_of(file))) as url,
            Evergreen(url, key) as client,
        ):
            yield client
        director.close()
        sys.modules.pop("writing_production", None)


ASKED = {"text_inputs": "Once upon a time", "max_new_tokens": 40, "do_sample": False}


def test_the_pieces_are_the_whole(evergreen: Evergreen) -> None:
    events = list(evergreen._events(_generation("gpt2", ASKED)))
    pieces = [event.data["text"] for event in events if event.name == "text"]
    assert [events[0].name, events[-1].name] == ["session", "answer"]
    whole = evergreen.predict("gpt2", **ASKED).output[0]["generated_text"]
    assert len(pieces) > 1
    assert events[-1].data["body"]["output"] == [{"generated_text": whole}]
    assert _letters(ASKED["text_inputs"] + "".join(pieces)) == _letters(whole)
    trace = evergreen.session(events[-1].data["session_id"], bodies=True)
    assert [message.type for message in trace.messages] == ["Request", "Response"]
    assert trace.messages[1].body["output"] == [{"generated_text": whole}]


def test_the_client_gives_the_text(evergreen: Evergreen) -> None:
    assert "".join(evergreen.generate("gpt2", **ASKED))


def test_what_cannot_be_handed_on_is_told(evergreen: Evergreen) -> None:
    with pytest.raises(ItemFailed, match="leave out num_return_sequences"):
        list(evergreen.generate("gpt2", text_inputs="x", num_return_sequences=2, do_sample=True))
    with pytest.raises(ItemFailed, match="send them one by one"):
        list(evergreen.generate("gpt2", text_inputs=["a", "b"]))


def test_a_reader_that_leaves_ends_the_writing(evergreen: Evergreen) -> None:
    pieces = evergreen.generate("gpt2", text_inputs="x", max_new_tokens=100, min_new_tokens=100, do_sample=False)
    next(pieces)
    pieces.close()
    assert evergreen.predict("gpt2", text_inputs="x", max_new_tokens=1).output


def test_without_a_reader_the_answer_is_the_same(evergreen: Evergreen) -> None:
    for name in ("", "0" * 32):
        answer = evergreen.send("Writer", "msg.StreamRequest", {"stream": name, "request": ASKED})
        assert answer.output == evergreen.predict("gpt2", **ASKED).output
    with pytest.raises(ItemFailed, match="32 hexadecimal digits"):
        evergreen.send("Writer", "msg.StreamRequest", {"stream": "../../x", "request": ASKED})


def test_an_unread_text_is_short(models: Path) -> None:
    model = pipeline.open("gpt2", "text-generation", path=str(models))
    told: list[str] = []

    def leaving(piece: str) -> bool:
        told.append(piece)
        return False

    short = pipeline.run(model, {**ASKED, "min_new_tokens": 40}, pieces=leaving).output[0]["generated_text"]
    whole = pipeline.run(model, {**ASKED, "min_new_tokens": 40}).output[0]["generated_text"]
    pipeline.close(model)
    assert len(told) == 1 and len(short) < len(whole)


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for sockets; pytest's own are too long a name for one."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("EVERGREEN_RUN", f"{folder}/run")
        yield Path(folder, "run")


def test_a_stream_carries_what_is_sent(sockets: Path) -> None:
    with streams.opened() as reader:
        assert reader.read(0.01) == []
        with streaming.open_stream(sockets, reader.name) as writer:
            assert writer.send("ä\n") and writer.send("b")
            writer.end({"output": 1})
        found: list[dict[str, object]] = []
        while (pieces := reader.read(1)) is not None:
            found += pieces
    assert found == [{"text": "ä\n"}, {"text": "b"}, {"answer": {"output": 1}}]
    assert list((sockets).iterdir()) == []


def test_a_failure_reaches_the_reader_and_the_engine(sockets: Path) -> None:
    with streams.opened() as reader:
        with pytest.raises(InputRefused), streaming.open_stream(sockets, reader.name):
            raise InputRefused("Too long. Shorten it.")
        assert reader.read(1) == [{"error": "Too long. Shorten it."}]


def test_a_writer_notices_that_its_reader_left(sockets: Path) -> None:
    with streams.opened() as reader, streaming.open_stream(sockets, reader.name) as writer:
        assert writer.send("a") and reader.read(1) == [{"text": "a"}]
        reader.close()
        deadline = time.monotonic() + 2
        while writer.send("b") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not writer.send("c")


@pytest.mark.parametrize("text", ["A plain text, with words.", "größer — 漢字 and 🙂🙃", "a\n\nb  c"])
def test_letters_come_whole(models: Path, text: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(models / "gpt2")
    pieces: list[str] = []
    writing = streaming.Writing(tokenizer, lambda piece: pieces.append(piece) or True)
    writing.put(tokenizer("the prompt", return_tensors="pt")["input_ids"])
    for token in tokenizer(text, return_tensors="pt")["input_ids"][0]:
        writing.put(token)
    writing.end()
    assert "".join(pieces) == text and len(pieces) > 1
    assert "\ufffd" not in "".join(pieces)


def _letters(text: str) -> str:
    """Without what stands for letters that are none: a tiny model writes bytes at random."""
    return text.replace("\ufffd", "")


def _generation(model: str, fields: dict[str, object]) -> object:
    from evergreen_client import calls

    return calls.generate(model, json.loads(json.dumps(fields)), 60.0)
