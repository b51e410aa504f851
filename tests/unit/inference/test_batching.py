"""What runs together: who leads, what goes into a batch, whose error it is; and the same answers as one by one."""

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import tiny_models
from inference import pipeline, plaintext, rows, writing
from inference.batching import Batcher, Limits, Work, cut
from waiting import eventually

PATIENCE_S = 20.0


def cost(sizes: Sequence[int], cuts: Sequence[tuple[int, int]], limits: Limits) -> float:
    return sum(max(sizes[start:end]) * (end - start) + limits.overhead for start, end in cuts)


@pytest.mark.parametrize(
    ("sizes", "limits", "expected"),
    [
        ([7], Limits(), [(0, 1)]),
        ([5, 5, 5], Limits(), [(0, 3)]),
        ([5, 6, 7, 200], Limits(overhead=32), [(0, 3), (3, 4)]),  # padding three to 200 costs more than a batch
        ([5, 6, 7, 200], Limits(tokens=10_000, overhead=2048), [(0, 4)]),  # on a GPU it does not
        ([10, 10, 10, 10], Limits(tokens=20), [(0, 2), (2, 4)]),
        ([10, 10, 10], Limits(rows=1), [(0, 1), (1, 2), (2, 3)]),
        ([10, 5000], Limits(tokens=100), [(0, 1), (1, 2)]),  # too large for any batch: alone
    ],
)
def test_sizes_are_cut_into_batches(sizes: list[int], limits: Limits, expected: list[tuple[int, int]]) -> None:
    assert cut(sizes, limits) == expected


def test_no_cut_is_cheaper() -> None:
    rng = random.Random(1)
    for _ in range(60):
        sizes = sorted(rng.randint(1, 60) for _ in range(rng.randint(1, 7)))
        limits = Limits(tokens=rng.choice((60, 100, 200)), rows=rng.choice((2, 3, 64)), overhead=rng.choice((0, 8, 32)))
        found = cut(sizes, limits)
        assert [start for start, _ in found] + [len(sizes)] == [0] + [end for _, end in found]
        possible = []
        for marks in itertools.product((False, True), repeat=len(sizes) - 1):
            borders = [0, *(place + 1 for place, mark in enumerate(marks) if mark), len(sizes)]
            cuts = list(itertools.pairwise(borders))
            if all(
                end - start == 1 or (end - start <= limits.rows and sizes[end - 1] * (end - start) <= limits.tokens)
                for start, end in cuts
            ):
                possible.append(cost(sizes, cuts, limits))
        assert cost(sizes, found, limits) == min(possible)


class Forward:
    """A forward that waits at a gate, notes its batches and doubles what it is given; it fails for `poison`."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.batches: list[list[Any]] = []
        self.threads: list[threading.Thread] = []
        self.poison: Any = None
        self.entered = threading.Event()
        self._gate = gate
        self._busy = threading.Lock()

    def __call__(self, batch: Sequence[Work]) -> list[Any]:
        assert self._busy.acquire(blocking=False), "two batches at the same time"
        try:
            self.batches.append([work.inputs for work in batch])
            self.threads.append(threading.current_thread())
            self.entered.set()
            if self._gate is not None:
                assert self._gate.wait(PATIENCE_S)
            if self.poison in self.batches[-1]:
                raise ValueError(f"{self.poison} is poison")
            return [work.inputs * 2 for work in batch]
        finally:
            self._busy.release()


def in_thread(function: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def queued(batcher: Batcher, works: Sequence[Work]) -> list[threading.Thread]:
    """Threads that bring one work each, in this order, while somebody else is at work."""
    threads = []
    for count, work in enumerate(works, start=len(batcher._waiting) + 1):
        threads.append(in_thread(lambda work=work: batcher.run([work])))  # type: ignore[misc]
        eventually(lambda count=count: len(batcher._waiting) == count)  # type: ignore[misc]
    return threads


def at_work(batcher: Batcher, forward: Forward, work: Work) -> threading.Thread:
    thread = in_thread(lambda: batcher.run([work]))
    assert forward.entered.wait(PATIENCE_S)
    return thread


def test_alone_nothing_is_waited_for_and_the_caller_works_itself() -> None:
    forward = Forward()
    work = Work(3, 1, "text")
    Batcher(forward, Limits()).run([work])
    assert (work.output, work.error) == (6, None)
    assert forward.threads == [threading.current_thread()]


def test_what_waits_at_the_same_time_runs_together() -> None:
    gate = threading.Event()
    forward = Forward(gate)
    batcher = Batcher(forward, Limits())
    first, others = Work(0, 10, "text"), [Work(number, 10, "text") for number in range(1, 9)]
    threads = [at_work(batcher, forward, first), *queued(batcher, others)]
    gate.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert forward.batches == [[0], [1, 2, 3, 4, 5, 6, 7, 8]]
    assert [work.output for work in others] == [2, 4, 6, 8, 10, 12, 14, 16]


def test_only_works_of_one_kind_share_a_batch() -> None:
    gate = threading.Event()
    forward = Forward(gate)
    batcher = Batcher(forward, Limits())
    works = [Work(number, 10, "even" if number % 2 == 0 else "odd") for number in range(1, 7)]
    threads = [at_work(batcher, forward, Work(0, 10, "even")), *queued(batcher, works)]
    gate.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert forward.batches == [[0], [1, 3, 5], [2, 4, 6]]


def test_the_oldest_is_in_the_next_batch_however_odd_its_size() -> None:
    gate = threading.Event()
    forward = Forward(gate)
    batcher = Batcher(forward, Limits())
    works = [Work("odd", 900, "text"), *(Work(str(number), 10, "text") for number in range(20))]
    threads = [at_work(batcher, forward, Work("first", 10, "text")), *queued(batcher, works)]
    gate.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert forward.batches[1] == ["odd"]


def test_only_the_one_at_fault_fails() -> None:
    gate = threading.Event()
    forward = Forward(gate)
    forward.poison = 3
    unfit: list[Exception] = []
    batcher = Batcher(forward, Limits(), unfit.append)
    works = [Work(number, 10, "text") for number in range(1, 6)]
    threads = [at_work(batcher, forward, Work(0, 10, "text")), *queued(batcher, works)]
    gate.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [work.output for work in works] == [2, 4, None, 8, 10]
    assert [work.error is None for work in works] == [True, True, False, True, True]
    assert str(works[2].error) == "3 is poison"
    assert unfit == []


def test_a_batch_that_fails_though_each_succeeds_alone_is_told() -> None:
    def forward(batch: Sequence[Work]) -> list[Any]:
        if len(batch) > 1:
            raise ValueError("no batches here")
        return [work.inputs for work in batch]

    unfit: list[Exception] = []
    works = [Work(number, 10, "text") for number in range(3)]
    Batcher(forward, Limits(), unfit.append).run(works)
    assert [work.output for work in works] == [0, 1, 2]
    assert [str(error) for error in unfit] == ["no batches here"]


def test_a_leader_goes_when_its_own_is_done() -> None:
    """Whoever leads works for others only until its own results are there; then the oldest owner leads."""
    gate = threading.Event()
    forward = Forward(gate)
    batcher = Batcher(forward, Limits(rows=1))
    works = [Work(number, 10, "text") for number in range(1, 4)]
    threads = [at_work(batcher, forward, Work(0, 10, "text")), *queued(batcher, works)]
    gate.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert forward.threads == threads


def test_a_thread_that_is_ended_leaves_nobody_waiting() -> None:
    gate = threading.Event()

    class Ended(BaseException):
        pass

    def forward(batch: Sequence[Work]) -> list[Any]:
        if batch[0].inputs == "end":
            assert gate.wait(PATIENCE_S)
            raise Ended
        return [work.inputs for work in batch]

    batcher = Batcher(forward, Limits(rows=1))
    caught: list[BaseException] = []

    def ended() -> None:
        try:
            batcher.run([Work("end", 10, "text"), Work("never", 10, "text")])
        except Ended as error:
            caught.append(error)

    first = in_thread(ended)
    eventually(lambda: len(batcher._waiting) == 1)
    work = Work("other", 10, "text")
    second = queued(batcher, [work])
    gate.set()
    for thread in (first, *second):
        thread.join(PATIENCE_S)
    assert len(caught) == 1
    assert work.output == "other"
    later = Work("later", 10, "text")
    batcher.run([later])
    assert later.output == "later"


def test_a_wait_for_company_ends_when_the_batch_is_full() -> None:
    forward = Forward()
    batcher = Batcher(forward, Limits(rows=2, wait_s=PATIENCE_S))
    one, other = Work(1, 10, "text"), Work(2, 10, "text")
    began_s = time.monotonic()
    first = in_thread(lambda: batcher.run([one]))
    eventually(lambda: len(batcher._waiting) == 1)
    batcher.run([other])
    first.join(PATIENCE_S)
    assert forward.batches == [[1, 2]]
    assert time.monotonic() - began_s < PATIENCE_S / 2


def test_a_wait_for_company_ends_in_time() -> None:
    forward = Forward()
    began_s = time.monotonic()
    Batcher(forward, Limits(wait_s=0.05)).run([Work(1, 10, "text")])
    assert 0.05 <= time.monotonic() - began_s < PATIENCE_S / 2


def test_many_threads_get_their_own_results() -> None:
    forward = Forward()
    batcher = Batcher(forward, Limits(tokens=200, rows=8))
    rng = random.Random(3)
    wrong: list[Any] = []

    def ask(thread: int) -> None:
        for turn in range(30):
            works = [Work((thread, turn, n), rng.randint(1, 99), n % 2) for n in range(rng.randint(1, 4))]
            batcher.run(works)
            wrong.extend(work for work in works if work.output != work.inputs * 2)

    threads = [in_thread(lambda thread=thread: ask(thread)) for thread in range(16)]  # type: ignore[misc]
    for thread in threads:
        thread.join(PATIENCE_S)
    assert wrong == []
    assert not batcher._led
    assert batcher._waiting == []


# The same answers as one by one.

LONG = "Unfortunately, the outcome was not what we hoped for. " * 4
TEXTS = [*tiny_models.LINES, LONG, "George", LONG + LONG, *tiny_models.LINES[:3]]
MASKED = [text.replace("Washington", "[MASK]").replace("was", "[MASK]", 1) for text in TEXTS if "was" in text]
NAMES = ["George Washington lived in washington", "washington", "lived in washington " * 9, "George lived"]

CASES: list[tuple[str, str, dict[str, Any], list[Any]]] = [
    ("bert-classifier", "text-classification", {}, TEXTS),
    ("bert-classifier", "text-classification", {"top_k": None}, TEXTS),
    ("bert-classifier", "text-classification", {"function_to_apply": "sigmoid", "top_k": 2}, TEXTS),
    ("bert-classifier", "text-classification", {"truncation": True, "max_length": 6}, TEXTS),
    ("bert-classifier", "text-classification", {}, [{"text": text, "text_pair": TEXTS[0]} for text in TEXTS]),
    ("bert-classifier", "zero-shot-classification", {"candidate_labels": ["good", "bad", "so so"]}, TEXTS),
    ("bert-classifier", "feature-extraction", {}, TEXTS),
    ("bert-base-uncased", "fill-mask", {}, MASKED),
    ("bert-base-uncased", "fill-mask", {"top_k": 2}, MASKED),
    ("camembert-ner", "token-classification", {}, NAMES),
    ("camembert-ner", "token-classification", {"aggregation_strategy": "simple"}, NAMES),
]


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return abs(one - other) <= 2e-5
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each batch of more than one had."""
    sizes: list[int] = []

    def count(owner: Any, place: int) -> None:
        join = owner.join

        def counted(*arguments: Any) -> dict[str, Any]:
            sizes.extend([len(arguments[place])] if len(arguments[place]) > 1 else [])
            return join(*arguments)

        monkeypatch.setattr(owner, "join", counted)

    count(rows, 0)
    count(writing, 0)
    count(plaintext.Reader, 1)
    return sizes


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_models", type(pipeline._models)())


def plain(model_root: Path, name: str, task: str, options: dict[str, Any], texts: Sequence[Any]) -> list[Any]:
    """What transformers' own pipeline answers, one by one, as JSON."""
    from transformers import pipelines

    one = pipelines.pipeline(task, model=str(model_root / name), tokenizer=str(model_root / name), device="cpu")
    return [json.loads(json.dumps(one(text, **options), default=float)) for text in texts]


@pytest.mark.parametrize(("name", "task", "options", "texts"), CASES)
def test_concurrent_requests_are_answered_as_by_the_plain_pipeline(
    model_root: Path, batches: list[int], name: str, task: str, options: dict[str, Any], texts: list[str]
) -> None:
    expected = plain(model_root, name, task, options, texts)
    model = pipeline.open(name, task, path=str(model_root))
    found: list[Any] = [None] * len(texts)

    def ask(place: int) -> None:
        found[place] = pipeline.run(model, {"inputs": texts[place], **options}).output

    with_all_there(model, [lambda place=place: ask(place) for place in range(len(texts))])  # type: ignore[misc]
    assert alike(json.loads(json.dumps(found)), expected)
    assert batches
    assert max(batches) > 2


def with_all_there(model: pipeline.Model, calls: Sequence[Callable[[], None]]) -> None:
    """Run these at the same time, and let nobody work before all wait."""
    batcher = model._loaded.engine._batcher  # type: ignore[union-attr]
    with batcher._guard:
        batcher._led = True
    threads = [in_thread(call) for call in calls]
    owners = lambda: {id(work.owner) for work in batcher._waiting}  # noqa: E731
    eventually(lambda: len(owners()) == len(calls))
    with batcher._guard:
        batcher._waiting[0].owner.awake.set()  # type: ignore[union-attr]
    for thread in threads:
        thread.join(PATIENCE_S)


@pytest.mark.parametrize(("name", "task", "options", "texts"), CASES)
def test_a_list_is_answered_as_its_elements_by_the_plain_pipeline(
    model_root: Path, batches: list[int], name: str, task: str, options: dict[str, Any], texts: list[str]
) -> None:
    expected = plain(model_root, name, task, options, texts)
    if task == "text-classification" and "top_k" not in options and isinstance(texts[0], str):
        expected = [one[0] for one in expected]
    model = pipeline.open(name, task, path=str(model_root))
    found = pipeline.run(model, {"inputs": texts, **options}).output
    assert alike(json.loads(json.dumps(found)), expected)
    assert max(batches) > 2


def test_a_bad_element_of_a_list_fails_alone(model_root: Path) -> None:
    model = pipeline.open("bert-classifier", "text-classification", path=str(model_root))
    alone = pipeline.run(model, {"inputs": TEXTS[0]}).output
    answer = pipeline.run(model, {"inputs": [TEXTS[0], "", 7, "good " * 3000, TEXTS[0]]})
    assert [sorted(one) for one in answer.output] == [["label", "score"], *[["error"]] * 3, ["label", "score"]]
    assert alike([answer.output[0], answer.output[4]], [alone[0], alone[0]])
    assert "3 of 5 elements failed" in answer.note


def test_an_element_that_the_model_fails_at_fails_alone(model_root: Path) -> None:
    """A word that the embedding has no row for breaks the batch; the others are answered all the same."""
    model = pipeline.open("bert-classifier", "text-classification", path=str(model_root))
    engine = model._loaded.engine  # type: ignore[union-attr]
    read = engine.reader.read  # type: ignore[union-attr]

    def broken(text: str, options: Any) -> Any:
        made = read(text, options)
        if text == "break":
            made.ids[1] = 10_000_000
        return made

    engine.reader.read = broken  # type: ignore[method-assign, union-attr]
    answer = pipeline.run(model, {"inputs": ["fine", "break", "also fine"]})
    assert [sorted(one) for one in answer.output] == [["label", "score"], ["error"], ["label", "score"]]
    assert "IndexError" in answer.output[1]["error"]


def test_pictures_of_one_size_run_together(model_root: Path, batches: list[int]) -> None:
    model = pipeline.open("detr-resnet-50", "object-detection", path=str(model_root))
    picture = str(tiny_models.PICTURE)
    alone = pipeline.run(model, {"url": picture}).output
    found = pipeline.run(model, {"url": [picture] * 3}).output
    assert batches == [3] or model._loaded.engine._batcher.limits.tokens < 3000  # type: ignore[union-attr]
    assert alike(found, [alone] * 3)


def test_a_model_that_padding_disturbs_runs_texts_of_equal_length_together(model_root: Path) -> None:
    lines: list[str] = []
    model = pipeline.open("bert-classifier", "text-classification", path=str(model_root), log=lines.append)
    engine = model._loaded.engine  # type: ignore[union-attr]

    def without_mask(_: Any, arguments: Any, named: dict[str, Any]) -> Any:
        return arguments, {name: value for name, value in named.items() if name != "attention_mask"}

    engine.pipeline.model.register_forward_pre_hook(without_mask, with_kwargs=True)
    with_fake_scale(engine.pipeline.model)
    alone = [pipeline.run(model, {"inputs": text}).output[0] for text in TEXTS]
    for _ in range(2):
        found = pipeline.run(model, {"inputs": TEXTS}).output
        assert alike(found, alone)
    assert [line for line in lines if "Padding" in line] == [
        "Padding changes the answers of this bert. Only texts of equal length run together."
    ]


def with_fake_scale(model: Any) -> None:
    """Weights large enough that what a token adds can be seen; those of a model fresh from its seed are near zero."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(20)


def test_a_model_that_takes_no_batches_runs_one_by_one(model_root: Path, batches: list[int]) -> None:
    """GPT-2 without a mark for padding reads only one text at a time, and says so by an error."""
    lines: list[str] = []
    model = pipeline.open("gpt2", "text-classification", path=str(model_root), log=lines.append)
    model._loaded.engine.pipeline.model.config.pad_token_id = None  # type: ignore[union-attr]
    alone = [pipeline.run(model, {"inputs": text}).output[0] for text in TEXTS[:4]]
    assert alike(pipeline.run(model, {"inputs": TEXTS[:4]}).output, alone)
    assert alike(pipeline.run(model, {"inputs": TEXTS[:4]}).output, alone)
    assert sum("run one by one" in line for line in lines) <= 1


@pytest.mark.parametrize("size", [1, 3])
def test_the_batch_size_is_a_limit(model_root: Path, batches: list[int], size: int) -> None:
    options = {"batch_size": size}
    model = pipeline.open("bert-classifier", "text-classification", path=str(model_root), options=options)
    pipeline.run(model, {"inputs": TEXTS})
    assert max(batches, default=1) <= size
    assert bool(batches) == (size > 1)


SHORT = [text for text in TEXTS if len(text) < 100]
WRITTEN: list[dict[str, Any]] = [
    {"max_new_tokens": 5, "do_sample": False},
    {"max_new_tokens": 5, "do_sample": False, "return_full_text": False},
    {"max_new_tokens": 4, "do_sample": False, "num_beams": 2, "num_return_sequences": 2},
]


@pytest.mark.parametrize("options", WRITTEN)
def test_texts_that_wait_are_continued_together_as_alone(
    model_root: Path, batches: list[int], options: dict[str, Any]
) -> None:
    expected = plain(model_root, "gpt2", "text-generation", options, SHORT)
    model = pipeline.open("gpt2", "text-generation", path=str(model_root))
    found: list[Any] = [None] * len(SHORT)

    def ask(place: int) -> None:
        found[place] = pipeline.run(model, {"text_inputs": SHORT[place], **options}).output

    with_all_there(model, [lambda place=place: ask(place) for place in range(len(SHORT))])  # type: ignore[misc]
    assert found == expected
    assert max(batches) > 2
    assert pipeline.run(model, {"text_inputs": SHORT, **options}).output == expected


@pytest.mark.parametrize(
    "options",
    [
        {"max_new_tokens": 3, "do_sample": False, "repetition_penalty": 1.3},  # looks at the prompt, so at padding too
        {"max_new_tokens": 3, "do_sample": False, "bad_words_ids": [[5]]},
    ],
)
def test_what_hangs_on_the_prompt_is_continued_alone(
    model_root: Path, batches: list[int], options: dict[str, Any]
) -> None:
    model = pipeline.open("gpt2", "text-generation", path=str(model_root))
    pipeline.run(model, {"text_inputs": TEXTS[:3], **options})
    assert batches == []


def test_where_the_prompt_counts_only_those_of_equal_length_share_a_batch(model_root: Path, batches: list[int]) -> None:
    options = {"max_length": 20, "do_sample": False}
    model = pipeline.open("gpt2", "text-generation", path=str(model_root))
    texts = [TEXTS[0], TEXTS[0], f"{TEXTS[0]} and more words"]
    assert pipeline.run(model, {"text_inputs": texts, **options}).output == plain(
        model_root, "gpt2", "text-generation", options, texts
    )
    assert batches == [2]


def test_each_text_has_words_of_its_own_drawn(model_root: Path, batches: list[int]) -> None:
    model = pipeline.open("gpt2", "text-generation", path=str(model_root))
    fields = {"text_inputs": [TEXTS[0]] * 4, "max_new_tokens": 8, "do_sample": True}
    found = [one[0]["generated_text"] for one in pipeline.run(model, fields).output]
    assert batches == [4]
    assert len(set(found)) > 1
    assert all(text.startswith(TEXTS[0]) for text in found)


def test_a_text_that_has_ended_is_cut_at_its_end() -> None:
    import torch

    sequences = torch.tensor([[[0, 0, 5, 6, 7, 9, 9, 9]], [[3, 4, 5, 6, 7, 8, 9, 9]]])
    items = [{"input_ids": torch.zeros(1, length), "prompt_text": "x"} for length in (2, 4)]
    outputs = {"generated_sequence": sequences, "input_ids": torch.zeros(2, 4), "prompt_text": None}
    found = [one["generated_sequence"].tolist() for one in writing.split(outputs, items, {9})]
    assert found == [[[[5, 6, 7, 9]]], [[[3, 4, 5, 6, 7, 8, 9]]]]
