"""How much one request may ask for: numbers, nested options and labels, checked before anything is computed."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from inference.errors import InputRefused, OptionUnknown
from inference.tasks import Task, near_names, nested_names

LIMIT_LABELS = 1_000
"""Candidate labels of a request; each of them is one pass through the model."""

LIMIT_TEXT = 5_000_000
"""How many letters one text may have."""

_DEEPEST = 20
_LONGEST_LIST = 1_000_000

# The least and the most that makes sense. Beyond the most a request would not fail: it would fill the memory, or
# run for hours.
_WHOLE = {
    "batch_size": (1, 1_024),
    "crops_n_layers": (0, 2),
    "crop_n_points_downscale_factor": (1, 64),
    "doc_stride": (1, 100_000),
    "frame_sampling_rate": (1, 10_000),
    "max_answer_len": (1, 10_000),
    "max_hole_area": (0, 1_000_000_000),
    "max_length": (1, 1_000_000),
    "max_new_tokens": (1, 1_000_000),
    "max_question_len": (1, 100_000),
    "max_seq_len": (1, 100_000),
    "max_sprinkle_area": (0, 1_000_000_000),
    "min_length": (0, 1_000_000),
    "min_new_tokens": (0, 1_000_000),
    "no_repeat_ngram_size": (0, 10_000),
    "num_beam_groups": (1, 64),
    "num_beams": (1, 64),
    "num_frames": (1, 512),
    "num_return_sequences": (1, 64),
    "pad_to_multiple_of": (1, 4_096),
    "points_per_batch": (1, 4_096),
    "points_per_crop": (1, 64),
    "stride": (0, 100_000),
    "top_k": (0, 1_000_000_000),
}
_NUMBERS = {
    "chunk_length_s": (1.0, 600.0),
    "max_time": (0.0, 3_600.0),
    **dict.fromkeys(
        ("threshold", "mask_threshold", "overlap_mask_area_threshold", "pred_iou_thresh", "stability_score_thresh",
         "stability_score_offset", "crops_nms_thresh", "temperature", "top_p", "min_p", "repetition_penalty",
         "length_penalty"),
        (-1e9, 1e9),
    ),
}  # fmt: skip
_LIMITS: dict[str, tuple[float, float]] = {**_WHOLE, **_NUMBERS}


def check(task: Task, options: Mapping[str, Any]) -> None:
    """Raises `InputRefused` or `OptionUnknown` for the first option that asks for too much or for something else."""
    for name, value in options.items():
        names = nested_names(name)
        if names is not None and value is not None:
            if not isinstance(value, dict):
                raise InputRefused(f'{name} must be a JSON object, such as {{"name": "value"}}. Correct it.')
            refuse_unknown(name, value, names)
            check(task, value)
        elif value is not None and name in _FREE:
            _check_free(name, value)
        check_number(name, value)


def refuse_unknown(option: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises `OptionUnknown` for the first name in the JSON object `option` that is not known."""
    for name in given:
        if name not in known:
            raise OptionUnknown(
                f"{option} takes no {_shown(name)}. {near_names(name, known)} Correct it, or remove it."
            )


def labels(value: Any) -> list[str]:
    """Candidate labels as a list: given so, or as one text with commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
        raise InputRefused(
            'candidate_labels must be a list of texts or a text with commas, such as ["cat", "dog"]. Correct it.'
        )
    if len(value) > LIMIT_LABELS:
        raise InputRefused(f"{len(value):,} candidate labels are too many. Give at most {LIMIT_LABELS:,}.")
    return [one.strip() for one in value]


def text(value: Any) -> str:
    """A text with at least one word. Raises `InputRefused` for anything else."""
    if not isinstance(value, str):
        raise InputRefused(f'A text is needed, not {describe(value)}. Send one, such as "some text".')
    if not value.strip():
        raise InputRefused("The text is empty. Send a text with at least one word.")
    if len(value) > LIMIT_TEXT:
        raise InputRefused(f"The text has {len(value):,} letters. Send at most {LIMIT_TEXT:,} at once.")
    return value


def describe(value: Any) -> str:
    """A value of the wrong kind, as an error may quote it."""
    return "an empty list" if value == [] else f"{type(value).__name__} ({repr(value)[:40]})"


def check_plain(name: str, value: Any, depth: int = 0) -> None:
    """Raises `InputRefused` for JSON that no model can read: nested too deep, numbers too large, half letters."""
    if isinstance(value, list | dict):
        if depth > _DEEPEST:
            raise InputRefused(f"{name} has more than {_DEEPEST} lists or objects in one another. Send it flatter.")
        if len(value) > _LONGEST_LIST:
            raise InputRefused(f"{name} has {len(value):,} entries. Send at most {_LONGEST_LIST:,}.")
        for part in (*value, *value.values()) if isinstance(value, dict) else value:
            check_plain(name, part, depth + 1)
    elif isinstance(value, int) and abs(value) >= 2**63:
        raise InputRefused(f"{name} holds a number of more than 18 digits. Correct it, or leave it out.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputRefused(f"{name} holds {value}, which is no number that can be used. Correct it, or leave it out.")
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputRefused(f"{name} holds half a letter ({error.reason}). Send whole ones.") from error


def check_number(name: str, value: Any) -> None:
    """Raises `InputRefused` if the value of an option called `name` is too large, too small, or no number."""
    if value is None or name not in _LIMITS:
        return
    kind: Any = int if name in _WHOLE else int | float
    least, most = _LIMITS[name]
    if not isinstance(value, kind) or isinstance(value, bool) or value < least:
        above = least - 1 if name in _WHOLE else least
        word = "whole number above" if name in _WHOLE else "number of at least"
        raise InputRefused(f"{name}={_shown(value)} is no {word} {above}. Correct it, or leave it out.")
    if value > most:
        raise InputRefused(f"{name}={value} is more than {most:,}, the most that is allowed. Lower it.")


def _check_free(name: str, value: Any) -> None:
    """What only the model knows: plain values and lists of numbers, and no text that could be a path."""
    if not isinstance(value, dict):
        raise InputRefused(f'{name} must be a JSON object, such as {{"name": 1}}. Correct it.')
    for inner, part in value.items():
        numbers = isinstance(part, list) and all(isinstance(one, int | float) for one in part)
        plain = part is None or isinstance(part, int | float) or (isinstance(part, str) and not set(part) & set("/\\."))
        if not str(inner).isidentifier() or not (numbers or plain) or inner in _RUNS_CODE:
            raise InputRefused(
                f"{name} takes no {inner!r} of this kind. Give numbers, lists of numbers or plain words."
            )
        check_number(str(inner), part)


_FREE = ("forward_params", "preprocess_params")
_RUNS_CODE = ("custom_generate", "trust_remote_code", "assistant_model", "streamer", "tokenizer", "generation_config")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
