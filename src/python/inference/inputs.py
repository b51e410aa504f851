"""A request's fields become what a pipeline is called with: its main input and the call's options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import paths
from inference import images, source
from inference.errors import InputRefused
from inference.tasks import Task, check_call

_REQUIRED = {
    "zero-shot-classification": "candidate_labels",
    "zero-shot-image-classification": "candidate_labels",
    "zero-shot-audio-classification": "candidate_labels",
    "zero-shot-object-detection": "candidate_labels",
    "document-question-answering": "question",
}
_EXAMPLES = {
    "text": '{"inputs": "some text"}',
    "image": '{"url": "/irisdev/app/misc/000000039769.jpg"}',
    "audio": '{"url": "https://host/sound.wav"}',
    "video": '{"inputs": "/irisdev/app/misc/film.mp4"}',
    "table": '{"table": {"city": ["Rome", "Oslo"]}, "query": "Which city is first?"}',
    "free": '{"inputs": "some text"}',
}
_ENOUGH_TOKENS = 1_000_000  # a tokenizer that knows no limit says 1e30
_WAYS_TO_SHORTEN = {
    "text-classification": "set truncation=true to leave out the rest",
    "feature-extraction": "set truncation=true to leave out the rest",
    "token-classification": "set stride=64 (with an aggregation_strategy) to read it in overlapping pieces",
    "fill-mask": 'set tokenizer_kwargs={"truncation": true} to leave out the rest',
}


@dataclass
class Call:
    """`main` is the pipeline's first argument, `options` are its keywords, `notes` go into the answer."""

    main: Any
    options: dict[str, Any]
    notes: list[str]


def prepare(task: Task, fields: Mapping[str, Any], settings: Mapping[str, Any]) -> Call:
    """Checks the fields of a request against the task, and reads the pictures it names.

    `settings` are the options that the model was loaded with. Raises `OptionUnknown`, `InputRefused`,
    `ImageNotReadable`, `SourceRefused` or `paths.PathNotAllowed`.
    """
    options = dict(fields)
    value = _take_main(task, options)
    check_call(task, options)
    if task.name == "text-classification" and "top_k" in settings:
        options.setdefault("top_k", settings["top_k"])  # given at load alone, the answer comes in one list more
    required = _REQUIRED.get(task.name)
    if required and not (options.get(required) or settings.get(required)):
        raise InputRefused(f"A request to the task {task.name} needs {required}. Add the field {required}.")
    timeout_s = source.TIMEOUT_S
    if task.kind in ("image", "free"):
        timeout_s = _seconds(options.pop("timeout", None) or settings.get("timeout") or timeout_s)
        for name in {"image", "images"} & options.keys():
            options[name] = _pictures(options[name], timeout_s)
    return Call(_main(task, value, timeout_s), options, notes=[])


def fit(pipeline: Any, task: Task, call: Call, settings: Mapping[str, Any]) -> None:
    """Checks the text against what the loaded model can read and write; sets what the request left open.

    Raises `InputRefused`; may lower lengths that the model cannot reach and says so in `call.notes`.
    """
    if task.name == "fill-mask":
        _check_masks(pipeline.tokenizer, call.main)
    if task.name == "text-generation":
        _fit_generation(pipeline, call, settings)
    elif task.name in _WAYS_TO_SHORTEN and not _shortens(task, {**settings, **call.options}):
        limit = _limit(pipeline)
        for text in _texts(call.main):
            count = _count(pipeline, text, limit)
            if count > limit:
                raise InputRefused(
                    f"The text has {count} tokens and this model reads at most {limit}. Shorten it, or "
                    f"{_WAYS_TO_SHORTEN[task.name]}."
                )


def _take_main(task: Task, options: dict[str, Any]) -> Any:
    """Remove the field with the main input from `options` and return its value."""
    if task.kind == "table" and "table" in options:
        return {"table": options.pop("table"), "query": options.pop("query", None)}
    given = [name for name in task.input_names if options.get(name) is not None]
    for name in task.input_names:
        if options.get(name) is None:
            options.pop(name, None)
    if not given:
        example = _EXAMPLES[task.kind]
        raise InputRefused(
            f"A request to the task {task.name} needs its input in one of the fields {', '.join(task.input_names)}. "
            f"Send for example {example}."
        )
    if len(given) > 1 and not (task.kind == "free" and set(given) <= task.call_options | {"inputs"}):
        raise InputRefused(f"The fields {' and '.join(given)} both hold the input. Send one of them.")
    return options.pop(given[0])


def _main(task: Task, value: Any, timeout_s: float) -> Any:
    if task.kind == "text":
        return _checked_text(task, value)
    if task.kind == "image":
        return _parts(value, timeout_s) if _is_chat(value) else _pictures(value, timeout_s)
    if task.kind == "audio":
        return _each(value, lambda one: source.read(_reference(one)))
    if task.kind == "video":
        return _each(value, lambda one: str(paths.checked(_reference(one))))
    if task.kind == "table":
        if not isinstance(value, dict) or not value.get("table") or not value.get("query"):
            raise InputRefused(f"The task {task.name} needs a table and a query. Send {_EXAMPLES['table']}.")
        return value
    return _parts(value, timeout_s)


def _checked_text(task: Task, value: Any) -> Any:
    """Text, a list of texts, a pair, or (text generation only) one or several chats; nothing empty."""
    if _is_chat(value) or (isinstance(value, list) and value and all(_is_chat(one) for one in value)):
        if task.name == "text-generation":
            return value
    elif isinstance(value, dict) and isinstance(value.get("text"), str):
        _checked_text(task, value["text"])
        return value
    elif isinstance(value, list) and value:
        return [_checked_text(task, one) for one in value]
    elif isinstance(value, str):
        if value.strip():
            return value
        raise InputRefused("The text is empty. Send a text with at least one word.")
    raise InputRefused(
        f"The task {task.name} takes a text or a list of texts, not {_describe(value)}. Send {_EXAMPLES['text']}."
    )


def _is_chat(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "role" in one for one in value)


def _describe(value: Any) -> str:
    return "an empty list" if value == [] else f"{type(value).__name__} ({str(value)[:40]})"


def _pictures(value: Any, timeout_s: float) -> Any:
    """A picture for a reference, a list for a list (lists may lie in lists)."""
    if isinstance(value, list):
        if not value:
            raise InputRefused("The list of pictures is empty. Send at least one address or path.")
        return [_pictures(one, timeout_s) for one in value]
    return images.read(_reference(value), timeout_s=timeout_s)


def _each(value: Any, read: Callable[[Any], Any]) -> Any:
    return [read(one) for one in value] if isinstance(value, list) else read(value)


def _reference(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise InputRefused(f"An address, a path or a data URI is needed, not {_describe(value)}. Send one as text.")


def _parts(value: Any, timeout_s: float) -> Any:
    """Free content with its picture references read; the model's library is never left to follow one."""
    if isinstance(value, list):
        return [_parts(one, timeout_s) for one in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("type")
    if kind in ("audio", "video"):
        raise InputRefused(f"Parts of the type {kind} cannot be sent. Send text and image parts.")
    if kind == "image" and "data_base64" not in value:
        given = next((value[name] for name in ("image", "url", "path") if value.get(name)), None)
        return {"type": "image", "image": images.read(_reference(given), timeout_s=timeout_s)}
    content = {name: _parts(part, timeout_s) for name, part in value.items() if name != "assets"}
    if "assets" in value:
        content["assets"] = {
            name: images.read(one, timeout_s=timeout_s) if isinstance(one, str) else _parts(one, timeout_s)
            for name, one in dict(value["assets"]).items()
        }
    return content


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 600:
        return float(value)
    raise InputRefused(f"timeout={value!r} is no number of seconds from 0 to 600. Correct it, or leave it out.")


def _check_masks(tokenizer: Any, main: Any) -> None:
    mask = tokenizer.mask_token
    for text in _texts(main):
        if mask not in text:
            raise InputRefused(
                f"The text has no {mask}, the mark of this model for a missing word. Write {mask} where the word is "
                f"missing, for example: George Washington lived in {mask}."
            )


def _fit_generation(pipeline: Any, call: Call, settings: Mapping[str, Any]) -> None:
    wanted = {**settings, **call.options}
    for name in ("max_length", "max_new_tokens", "num_return_sequences"):
        number = wanted.get(name)
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
            raise InputRefused(f"{name}={number!r} is no whole number above 0. Correct it, or leave it out.")
    answers, beams = wanted.get("num_return_sequences") or 1, wanted.get("num_beams") or 1
    if answers > 1 and wanted.get("do_sample") is False and beams < answers:
        raise InputRefused(
            f"Without sampling there are {beams} different texts, not {answers}. Leave out do_sample, or set "
            f"num_beams={answers}."
        )
    limit, length, new = _limit(pipeline), wanted.get("max_length"), wanted.get("max_new_tokens")
    longest = max((_count(pipeline, text, min(limit, length or limit)) for text in _texts(call.main)), default=0)
    if longest >= limit:
        raise InputRefused(
            f"The text has {longest} tokens and this model reads and writes at most {limit} together. Shorten it."
        )
    if new is None and length is not None and length <= longest:
        raise InputRefused(
            f"The text has {longest} tokens and max_length={length} counts them too, so nothing is left to write. "
            "Raise max_length, or use max_new_tokens, which counts only what is written."
        )
    _cap(pipeline, call, limit - longest, limit, new, length)


def _cap(pipeline: Any, call: Call, room: int, limit: int, new: int | None, length: int | None) -> None:
    """Lower the wanted length to what the model can reach: past its last position it would crash."""
    if new is not None:
        if new > room:
            call.options["max_new_tokens"] = room
            call.notes.append(f"max_new_tokens was lowered from {new} to {room}: the model's limit is {limit} tokens.")
    elif length is not None:
        if length > limit:
            call.options["max_length"] = limit
            call.notes.append(f"max_length was lowered from {length} to {limit}, the model's limit.")
    else:
        default = pipeline._generation_defaults.get("max_new_tokens", 0)
        if default > room:
            call.options["max_new_tokens"] = room


def _shortens(task: Task, wanted: Mapping[str, Any]) -> bool:
    if task.name == "token-classification":
        return bool(wanted.get("stride"))
    nested = wanted.get("tokenizer_kwargs") or wanted.get("tokenize_kwargs") or {}
    return bool(wanted.get("truncation") or (isinstance(nested, dict) and nested.get("truncation")))


def _texts(main: Any) -> list[str]:
    """The plain texts in a main input; chats and pairs are left to the pipeline."""
    values = main if isinstance(main, list) else [main]
    return [value for value in values if isinstance(value, str)]


def _limit(pipeline: Any) -> int:
    limit = int(pipeline.tokenizer.model_max_length)
    return limit if limit < _ENOUGH_TOKENS else _ENOUGH_TOKENS


def _count(pipeline: Any, text: str, limit: int) -> int:
    """The tokens of `text`; for a text that is short beyond doubt its bytes, which are never fewer."""
    size = len(text.encode()) + 8
    return size if size < limit else len(pipeline.tokenizer(text, truncation=False, verbose=False)["input_ids"])
