"""A model in a process of its own: the same answers and errors, one copy for all, nothing lost when it is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import paths
import tiny_models
from inference import isolation, pipeline
from inference.answer import Answer, Part, Picture
from inference.errors import InputRefused, ModelNotFound, ModelProcessEnded, OptionUnknown, PipelineFailed
from inference.isolation import frames
from waiting import eventually

SOURCES = Path(__file__).parents[3] / "src" / "python"
ASKING = """
import sys
from inference import isolation
model = isolation.open("gpt2", "text-generation", path=sys.argv[1])
print(isolation.run(model, {"text_inputs": "some text", "max_new_tokens": 2, "do_sample": False}).output, flush=True)
print("torch" in sys.modules, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("isolated")
    tiny_models.build("gpt2", folder / "gpt2")
    return folder


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the sockets; processes end soon after the last one has left."""
    run = tmp_path_factory.mktemp("run")
    run.chmod(0o700)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EVERGREEN_RUN", str(run))
        environment.setenv("EVERGREEN_LINGER_S", "0.3")
        yield run


@pytest.fixture(scope="module")
def model(folder: Path, room: Path) -> Iterator[isolation.Model]:
    opened = isolation.open("gpt2", "text-generation", path=str(folder))
    yield opened
    isolation.close(opened)
    eventually(lambda: not processes(room))


def processes(room: Path) -> list[int]:
    """The processes that serve a model in this room."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"inference.isolation.server" in command and str(room).encode() in command:
                found.append(int(entry.name))
    return found


def test_the_answers_are_those_of_the_pipeline(model: isolation.Model, folder: Path) -> None:
    here = pipeline.open("gpt2", "text-generation", path=str(folder))
    for fields in (asked("some text"), asked(["a", "b"])):
        mine, theirs = isolation.run(model, fields), pipeline.run(here, fields)
        assert (mine.output, mine.note) == (theirs.output, theirs.note)
    pipeline.close(here)
    assert (model.device, model.backend) == ("cpu", "torch")


def test_the_errors_are_those_of_the_pipeline(model: isolation.Model, folder: Path) -> None:
    with pytest.raises(InputRefused):
        isolation.run(model, {"text_inputs": 1})
    with pytest.raises(OptionUnknown):
        isolation.run(model, {"text_inputs": "x", "colour": 1})
    with pytest.raises(ModelNotFound):
        isolation.open("nothing", "text-generation", path=str(folder))
    assert isolation.run(model, asked("x")).output


def test_all_members_share_one_copy(model: isolation.Model, folder: Path, room: Path) -> None:
    before = processes(room)
    members = [
        subprocess.Popen(
            [sys.executable, "-c", ASKING, str(folder)], env={**os.environ, "PYTHONPATH": str(SOURCES)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    told = [(member.stdout.readline(), member.stdout.readline().strip()) for member in members]
    assert processes(room) == before and len(before) == 1
    for member in members:
        member.communicate()
    assert told[0][0] == told[1][0] == f"{isolation.run(model, asked('some text')).output}\n"
    assert {has_torch for _, has_torch in told} == {"False"}


def test_nothing_is_lost_when_the_process_is_killed(model: isolation.Model, room: Path) -> None:
    answered: list[object] = []
    errors: list[BaseException] = []

    def ask() -> None:
        for number in range(30):
            try:
                answered.append(isolation.run(model, asked(f"text {number}")).output)
            except Exception as error:  # noqa: BLE001 - counted below
                errors.append(error)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    killed = 0
    while any(asker.is_alive() for asker in askers) and killed < 1:
        if len(answered) > 20:
            for process in processes(room):
                os.kill(process, signal.SIGKILL)
                killed += 1
        time.sleep(0.01)
    for asker in askers:
        asker.join()
    assert (errors, len(answered), killed) == ([], 120, 1)


def test_a_text_is_handed_on(model: isolation.Model) -> None:
    fields = asked("Once upon a time", 20) | {"min_new_tokens": 20}
    told: list[str] = []
    answer = isolation.run(model, fields, pieces=lambda text: told.append(text) or True)
    assert len(told) > 1 and answer.output == isolation.run(model, fields).output
    with pytest.raises(InputRefused, match="Nobody read"):
        isolation.run(model, fields, pieces=lambda text: False)
    assert isolation.run(model, fields).output == answer.output


def test_a_process_that_always_ends_is_told(folder: Path, room: Path) -> None:
    """It is killed whenever it is there, as one that finds no memory would be."""
    stop = threading.Event()
    others = set(processes(room))

    def kill() -> None:
        while not stop.is_set():
            for process in set(processes(room)) - others:
                os.kill(process, signal.SIGKILL)
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(ModelProcessEnded, match=r"did not start|ended 3 times"):
            isolation.open("gpt2", "text-generation", path=str(folder), options={"dtype": "float32"})
    finally:
        stop.set()
        killer.join()


def asked(texts: object, new: int = 2) -> dict[str, object]:
    return {"text_inputs": texts, "max_new_tokens": new, "do_sample": False}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InputRefused("Too long. Shorten it."), InputRefused),
        (paths.PathNotAllowed("Outside. Move it."), paths.PathNotAllowed),
        (KeyError("a fault"), PipelineFailed),
    ],
)
def test_an_error_stays_what_it_was(error: Exception, kind: type[Exception]) -> None:
    found = frames.to_error(frames.of_error(error))
    assert type(found) is kind and str(error) in str(found)


def test_an_answer_stays_what_it_was() -> None:
    answer = Answer(
        [1, {"a": None}], (Picture("image/png", b"\0p", 2, 3, "a mask"),), "a note", (Part("a/b", b"\xff"),)
    )
    assert frames.to_answer(frames.of_answer(answer)) == answer
