"""Texts beyond a model's length: refused, or cut where that is asked, and the answer says by how much."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny_models
from inference import pipeline
from inference.answer import Answer
from inference.errors import InputRefused

LONG = "bad " * 600  # 602 tokens of a BERT with its marks

Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    root = tmp_path_factory.mktemp("fitting")

    def ask(kind: str, task: str, options: dict[str, Any] | None = None, **fields: Any) -> Answer:
        if not Path(root / kind).exists():
            tiny_models.build(kind, root / kind)
        return pipeline.run(pipeline.open(kind, task, path=str(root), options=options), fields)

    return ask


@pytest.mark.parametrize(
    ("kind", "task", "fields"),
    [
        ("bert-classifier", "text-classification", {"truncation": True}),
        ("bert-classifier", "text-classification", {"truncation": "longest_first"}),
        ("bert-classifier", "feature-extraction", {"truncation": True}),
        ("bert-classifier", "feature-extraction", {"tokenize_kwargs": {"truncation": True}}),
        ("camembert-ner", "token-classification", {"truncation": True}),
        ("bert-nli", "zero-shot-classification", {"candidate_labels": "a,b", "truncation": True}),
    ],
)
def test_a_text_is_cut_as_asked_and_the_note_says_so(ask: Ask, kind: str, task: str, fields: dict[str, Any]) -> None:
    answer = ask(kind, task, inputs=LONG, **fields)
    assert answer.note.startswith("A text was cut to 512 tokens; ")
    assert answer.note.endswith(" were left out.")
    left_out = int(answer.note.split("; ")[1].split()[0])
    assert left_out > 80
    assert ask(kind, task, inputs="bad", **fields).note == ""
    del fields[next(name for name in fields if name.startswith(("trunc", "token")))]
    with pytest.raises(InputRefused, match=r"tokens and this model reads at most 512\. Shorten it, or .*truncation"):
        ask(kind, task, inputs=LONG, **fields)


def test_the_count_of_what_is_left_out(ask: Ask) -> None:
    answer = ask("bert-classifier", "text-classification", inputs=LONG, truncation=True)
    assert answer.note == "A text was cut to 512 tokens; 90 were left out."
    answer = ask("bert-classifier", "text-classification", inputs="bad " * 60, truncation=True, max_length=50)
    assert answer.note == "A text was cut to 50 tokens; 12 were left out."
    pair = {"text": "bad " * 300, "text_pair": "good " * 300}
    assert "were left out" in ask("bert-classifier", "text-classification", inputs=pair, truncation=True).note
    with pytest.raises(InputRefused, match="603 tokens"):
        ask("bert-classifier", "text-classification", inputs=pair)
    answer = ask("bert-classifier", "text-classification", {"truncation": "true"}, inputs=["bad", LONG])
    assert answer.note == "Element 1: A text was cut to 512 tokens; 90 were left out."


def test_padding_is_no_way_to_fill_the_memory(ask: Ask) -> None:
    fields = {"inputs": "bad", "padding": "max_length", "max_length": 900_000}
    with pytest.raises(InputRefused, match="is more than the 512 tokens that this model reads"):
        ask("bert-classifier", "text-classification", **fields)


def test_a_masked_text_keeps_its_mask(ask: Ask) -> None:
    cut = {"tokenizer_kwargs": {"truncation": True}}
    answer = ask("bert-base-uncased", "fill-mask", inputs=f"[MASK] {LONG}", **cut)
    assert answer.note == "A text was cut to 512 tokens; 91 were left out."


def test_a_text_in_overlapping_pieces_is_not_cut(ask: Ask) -> None:
    answer = ask("camembert-ner", "ner", inputs=LONG, stride=64, aggregation_strategy="simple")
    assert answer.note == ""


def test_a_prompt_is_cut_so_that_something_can_be_written(ask: Ask) -> None:
    with pytest.raises(InputRefused, match=r"reads and writes at most 128 together\. .*truncation=true"):
        ask("gpt2", "text-generation", inputs=LONG)
    answer = ask("gpt2", "text-generation", inputs=LONG, truncation=True, max_new_tokens=8, do_sample=False)
    assert answer.note.startswith("A text was cut to 120 tokens; ")
    assert "at its end were left out" in answer.note
    answer = ask("gpt2", "text-generation", inputs=LONG, handle_long_generation="hole", max_new_tokens=8)
    assert "at its beginning were left out" in answer.note
    assert ask("gpt2", "text-generation", inputs="Hello", truncation=True, max_new_tokens=8).note == ""


def test_rows_of_a_table_are_left_out_as_asked(ask: Ask) -> None:
    table = {"city": ["Rome", "Oslo"] * 40}
    with pytest.raises(InputRefused, match=r"tokens and this model reads at most 128\. Send fewer rows, or set trunc"):
        ask("tapas", "table-question-answering", table=table, query="Which city is first?")
    answer = ask("tapas", "table-question-answering", table=table, query="Which city is first?", truncation=True)
    assert "this model reads 128: the last rows were left out." in answer.note


def test_a_label_that_no_model_reads(ask: Ask) -> None:
    picture = str(tiny_models.PICTURE)
    with pytest.raises(InputRefused, match=r"The candidate label 'cat cat.*at most 64\. Shorten it"):
        ask("clip", "zero-shot-image-classification", url=picture, candidate_labels=["cat " * 80])


def test_settings_that_are_no_numbers(ask: Ask) -> None:
    with pytest.raises(InputRefused, match="max_new_tokens='many' is no whole number above 0"):
        ask("gpt2", "text-generation", {"max_new_tokens": "many"}, inputs="a")


def test_a_sound_beyond_what_a_model_hears_is_said(ask: Ask) -> None:
    import base64

    import tiny_media

    sound = base64.b64encode(tiny_media.sound(seconds=2.5)).decode()
    answer = ask("clap", "zero-shot-audio-classification", url=sound, candidate_labels=["a", "b"])
    assert answer.note == "This model hears 1 s at once; 1.5 s were left out."


def test_a_chat_needs_a_template(ask: Ask) -> None:
    chat = [{"role": "user", "content": "hello"}]
    with pytest.raises(InputRefused, match="has no template for chats"):
        ask("gpt2", "text-generation", inputs=chat)
    with pytest.raises(InputRefused, match="reads and writes at most 512"):
        ask("gpt2-chat", "text-generation", inputs=[{"role": "user", "content": LONG * 3}])
    answer = ask("gpt2-chat", "text-generation", inputs=[chat, chat], max_new_tokens=2)
    assert [one[0]["generated_text"][-1]["role"] for one in answer.output] == ["assistant", "assistant"]
