"""Texts that wait at the same time are continued together: padded on the left in a batch, and cut free afterwards.

Only requests with the same options share a batch. Drawn words stay independent of each other: each row draws its own.
"""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from inference.rows import NotRows

# Options that mean the same to each row of a batch. What others do may hang on the prompt, or on being alone.
_SHARED = {
    *("max_new_tokens", "max_length", "min_new_tokens", "do_sample", "temperature", "top_k", "top_p", "min_p"),
    *("typical_p", "num_beams", "num_return_sequences", "early_stopping", "length_penalty"),
    *("eos_token_id", "pad_token_id"),
}
_OF_PROMPTS = ("repetition_penalty", "no_repeat_ngram_size")  # these would look at the padding too
_NEUTRAL = (None, 0, 1.0)
_alone = itertools.count()


def measure(
    pipeline: Any, inputs: Mapping[str, Any], options: Mapping[str, Any], padding: bool
) -> tuple[int, Hashable]:
    """The length of a prompt in tokens, and the kind: prompts of one kind can share a batch.

    With `padding` they may differ in length, if nothing that is asked for hangs on it.
    """
    size = int(inputs["input_ids"].shape[1])
    if not size or not set(options) <= _SHARED or getattr(pipeline, "assistant_model", None) is not None:
        return size, ("alone", next(_alone))
    known = pipeline.model.generation_config
    new = known.max_new_tokens or pipeline._generation_defaults.get("max_new_tokens")
    counted = options.get("max_new_tokens") or (new and known.max_length is None and "max_length" not in options)
    plain = all(getattr(known, name, None) in _NEUTRAL for name in _OF_PROMPTS)
    alike = repr(sorted(options.items()))
    return size, (alike, 0 if padding and counted and plain and "attention_mask" in inputs else size)


def join(items: Sequence[Mapping[str, Any]], pad: int) -> dict[str, Any]:
    """The inputs of one batch, padded on the left."""
    import torch

    longest = max(item["input_ids"].shape[1] for item in items)
    joined: dict[str, Any] = {"prompt_text": None}
    for name, filler in (("input_ids", pad), ("attention_mask", 0)):
        if all(name in item for item in items):
            values = [item[name] for item in items]
            joined[name] = torch.cat(
                [torch.nn.functional.pad(value, (longest - value.shape[1], 0), value=filler) for value in values]
            )
    return joined


def split(outputs: Mapping[str, Any], items: Sequence[Mapping[str, Any]], ends: set[int]) -> list[dict[str, Any]]:
    """What the pipeline's forward gave for a batch, for each of its prompts as if it had run alone.

    `ends` are the tokens that end a text. Raises `NotRows`.
    """
    if set(outputs) != {"generated_sequence", "input_ids", "prompt_text"}:
        raise NotRows("The model's outputs cannot be told apart by request. Set batch_size=1.")
    longest = outputs["input_ids"].shape[1]
    found = []
    for sequences, item in zip(outputs["generated_sequence"], items, strict=True):
        length = item["input_ids"].shape[1]
        written = max(_length(sequence[longest:].tolist(), ends) for sequence in sequences)
        kept = sequences[None, :, longest - length : longest + written]
        found.append({"generated_sequence": kept, "input_ids": item["input_ids"], "prompt_text": item["prompt_text"]})
    return found


def ends(pipeline: Any, options: Mapping[str, Any]) -> set[int]:
    """The tokens that end a text with these options."""
    given = options.get("eos_token_id", pipeline.model.generation_config.eos_token_id)
    return set(given) if isinstance(given, list | tuple) else {given} - {None}


def first_scores(pipeline: Any, items: Sequence[Mapping[str, Any]], row: int, pad: int) -> tuple[Any, Any]:
    """The scores of the first token that would be written to one of these prompts: alone, and in their batch."""
    import torch

    found = []
    for some in ([items[row]], items):
        inputs = {name: value.to(pipeline.model.device) for name, value in join(some, pad).items() if value is not None}
        with torch.no_grad():
            made = pipeline.model.generate(
                **inputs, max_new_tokens=1, do_sample=False, num_beams=1, output_logits=True,
                return_dict_in_generate=True,
            )  # fmt: skip
        found.append(made.logits[0].float())
    return found[0][0], found[1][row]


def _length(written: list[int], ends: set[int]) -> int:
    """How many tokens until the text has ended; what comes after is padding."""
    return next((place + 1 for place, token in enumerate(written) if token in ends), len(written))
