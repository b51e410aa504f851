"""A request's fields become what a pipeline is called with: its main input and the call's options.

    call = prepare(task, {"inputs": "some text", "top_k": 2}, settings)
    calls = prepare_each(task, {"inputs": ["one", "", "three"]}, settings)  # the second is an InputRefused

What a request names (pictures, sounds, films) is read here, before a model is waited for, and within limits for the
whole request. What depends on the loaded model comes later, in `fitting`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import paths
from inference import bounds, forms
from inference.errors import InferenceError, InputRefused
from inference.reading import Reader, each
from inference.tasks import Task, check_call, holds_object

Refusal = InferenceError | paths.PathNotAllowed

LIMIT_ELEMENTS = 10_000
"""How many elements the list of one request may have."""

_REQUIRED = {
    "zero-shot-classification": "candidate_labels",
    "zero-shot-image-classification": "candidate_labels",
    "zero-shot-audio-classification": "candidate_labels",
    "zero-shot-object-detection": "candidate_labels",
    "document-question-answering": "question",
}
_CHATS = ("text-generation", "text-to-audio", "image-text-to-text", "any-to-any")
_PACKED = ("document-question-answering", "zero-shot-object-detection", "image-text-to-text", "any-to-any")
_EXAMPLES = {
    "text": '{"inputs": "some text"}',
    "image": '{"url": "/irisdev/app/misc/000000039769.jpg"}',
    "audio": '{"url": "https://host/sound.wav"}',
    "video": '{"url": "/irisdev/app/misc/film.mp4"}',
    "table": forms.TABLE_EXAMPLE,
    "free": '{"inputs": "some text"}',
}


@dataclass
class Call:
    """`main` is the pipeline's first argument, `options` are its keywords, `notes` go into the answer."""

    main: Any
    options: dict[str, Any]
    notes: list[str]


def prepare(task: Task, fields: Mapping[str, Any], settings: Mapping[str, Any]) -> Call:
    """Checks the fields of a request against the task, and reads the pictures, sounds and films it names.

    `settings` are the options that the model was loaded with. Raises `OptionUnknown`, `InputRefused` (also as
    `ImageNotReadable`, `SoundNotReadable`, `FilmNotReadable` or `SourceRefused`) or `paths.PathNotAllowed`.
    """
    return _prepare(task, fields, settings, Reader.of(task, fields, settings))


def several(task: Task, fields: Mapping[str, Any]) -> bool:
    """Whether the request's main input is a list of elements that each could be a request: no chat, no pair."""
    value = next((fields[name] for name in _main_names(task, fields) if fields.get(name) is not None), None)
    if not isinstance(value, list) or not value or forms.is_chat(value):
        return False
    first = value[0]
    if task.name == "keypoint-matching" or fields.get("is_split_into_words"):
        return isinstance(first, list)
    if task.name == "image-text-to-text" and not isinstance(first, list | dict):
        return "text" in fields and fields["text"] is value  # pictures of one question; or questions without pictures
    if task.name == "any-to-any" and any(fields.get(name) is not None for name in ("images", "audio")):
        return False
    return not all(isinstance(one, int | float) for one in value)


def prepare_each(task: Task, fields: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Call | Refusal]:
    """The calls for a request of `several` elements, in their order; what cannot be prepared is its error instead.

    Raises what `prepare` does if it concerns the whole request: an unknown option, too many elements.
    """
    name = next(name for name in _main_names(task, fields) if fields.get(name) is not None)
    shared = {key: value for key, value in fields.items() if key != name}
    if len(fields[name]) > LIMIT_ELEMENTS:
        raise InputRefused(f"{len(fields[name]):,} elements are too many. Send at most {LIMIT_ELEMENTS:,} at once.")
    _refuse_second_main(task, fields)
    options = {key: value for key, value in shared.items() if key not in task.input_names or value is not None}
    check_call(task, options)
    for option, value in options.items():
        bounds.check_plain(option, value)
    bounds.check(task, options)
    reader = Reader.of(task, fields, settings)

    def attempt(element: Any) -> Call | Refusal:
        try:
            return _prepare(task, {**shared, name: element}, settings, reader)
        except (InferenceError, paths.PathNotAllowed) as error:
            return error

    return [attempt(element) for element in fields[name]]


def _prepare(task: Task, fields: Mapping[str, Any], settings: Mapping[str, Any], reader: Reader) -> Call:
    for name, value in fields.items():
        bounds.check_plain(name, value)
    options = _unpacked(task, fields)
    value = _take_main(task, options)
    options = {
        name: dict(given) if isinstance(given, dict) else given  # pipelines write into what they are given
        for name, given in options.items()
        if given is not None or not holds_object(name)
    }
    check_call(task, options)
    bounds.check(task, options)
    if task.name == "text-classification" and "top_k" in settings:
        options.setdefault("top_k", settings["top_k"])  # given at load alone, the answer comes in one list more
    _complete(task, options, settings)
    options.pop("timeout", None)
    for name in {"image", "images"} & options.keys():
        options[name] = each(options[name], reader.picture)
    if "audio" in options:
        options["audio"] = each(options["audio"], reader.sound)
    if task.name == "image-text-to-text":
        if "text" in options:
            options["text"] = each(options["text"], bounds.text)  # the library would follow what a chat in it names
        elif isinstance(value, str) and fields.get("text") is value:
            return Call(None, {**options, "text": bounds.text(value)}, notes=[])  # a question without a picture
    return Call(_main(task, value, options, reader), options, notes=[])


def _unpacked(task: Task, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields; an input that holds several of them, such as {"image": ..., "question": ...}, is taken apart."""
    for name in task.input_names:
        packed = fields.get(name)
        known = {*task.call_options, *task.input_names, "image", "images"}
        if task.name in _PACKED and isinstance(packed, dict) and packed and set(packed) <= known:
            return {**{key: value for key, value in fields.items() if key != name}, **packed}
    return dict(fields)


def _main_names(task: Task, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that may carry the main input; a question alone is one where no picture or sound comes with it."""
    if task.name == "image-text-to-text" and all(fields.get(name) is None for name in task.input_names):
        return ("text",)
    return task.input_names


def _refuse_second_main(task: Task, fields: Mapping[str, Any]) -> None:
    given = [name for name in _main_names(task, fields) if fields.get(name) is not None]
    if len(given) > 1:
        raise InputRefused(f"The fields {' and '.join(given)} both hold the input. Send one of them.")


def _take_main(task: Task, options: dict[str, Any]) -> Any:
    """Remove the field with the main input from `options` and return its value."""
    if task.kind == "table" and "table" in options:
        return {"table": options.pop("table"), "query": options.pop("query", None)}
    _refuse_second_main(task, options)
    names = _main_names(task, options)
    value = next((options[name] for name in names if options.get(name) is not None), None)
    if value is None:
        raise InputRefused(
            f"A request to the task {task.name} needs its input in one of the fields {', '.join(task.input_names)}. "
            f"Send for example {_EXAMPLES[task.kind]}."
        )
    for name in names:
        options.pop(name, None)
    return value


def _complete(task: Task, options: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """What the task needs beside its main input, from the request or the settings, checked."""
    required = _REQUIRED.get(task.name)
    if required is None:
        return
    value = options.get(required) or settings.get(required)
    if not value:
        raise InputRefused(f"A request to the task {task.name} needs {required}. Add the field {required}.")
    if required == "candidate_labels":
        options[required] = bounds.labels(value)
    else:
        options[required] = bounds.text(value)
    template = options.get("hypothesis_template")
    if template is not None and (not isinstance(template, str) or template.count("{}") != 1):
        raise InputRefused('hypothesis_template must be a text with one {}, such as "This is {}.". Correct it.')
    if not re.fullmatch(r"[A-Za-z_+]{2,60}", str(options.get("lang") or "eng")):
        raise InputRefused("lang must be a language of tesseract, such as eng or deu+eng. Correct it.")
    if options.get("word_boxes") is not None:
        options["word_boxes"] = forms.word_boxes(options["word_boxes"])


def _main(task: Task, value: Any, options: dict[str, Any], reader: Reader) -> Any:
    if task.kind == "text":
        return _checked_text(task, value, words=bool(options.get("is_split_into_words")))
    if task.kind == "image":
        return _main_of_pictures(task, value, options, reader)
    if task.kind == "audio":
        if isinstance(value, list) and value and all(isinstance(one, int | float) for one in value):
            raise InputRefused('Samples need their rate. Send {"inputs": {"array": [...], "sampling_rate": 16000}}.')
        return each(value, reader.sound)
    if task.kind == "video":
        return each(value, reader.film)
    if task.kind == "table":
        return [forms.table(one) for one in value] if isinstance(value, list) and value else forms.table(value)
    if task.name == "decision":
        several = isinstance(value, list) and value
        return [forms.decision(one, reader) for one in value] if several else forms.decision(value, reader)
    if isinstance(value, list) and any(forms.is_chat(one) for one in (value, *value)):
        return forms.chats(value, reader)
    return [bounds.text(one) for one in value] if isinstance(value, list) and value else bounds.text(value)


def _main_of_pictures(task: Task, value: Any, options: dict[str, Any], reader: Reader) -> Any:
    if task.name == "image-text-to-text":
        if isinstance(value, list) and any(forms.is_chat(one) for one in (value, *value)):
            if "text" in options:
                raise InputRefused("A chat holds its texts itself. Leave out the field text, or the chat.")
            return forms.chats(value, reader)
        if "text" not in options:
            raise InputRefused('A picture needs a text. Add the field text, such as "What is this?".')
    if task.name == "keypoint-matching" and not (isinstance(value, list) and len(value) == 2):
        raise InputRefused('Keypoints are matched between two pictures. Send {"inputs": ["first.jpg", "second.jpg"]}.')
    if task.name == "keypoint-matching":
        return [reader.picture(one) for one in value]
    return each(value, reader.picture)


def _checked_text(task: Task, value: Any, words: bool = False) -> Any:
    """Text, a list of texts, a pair (text classification), words, or chats (where text is generated); nothing empty."""
    if forms.is_chat(value) or (isinstance(value, list) and value and all(forms.is_chat(one) for one in value)):
        if task.name in _CHATS:
            return forms.plain_chats(value)
    elif (
        isinstance(value, dict)
        and task.name == "text-classification"
        and {"text"} <= set(value) <= {"text", "text_pair"}
    ):
        return {name: bounds.text(part) for name, part in value.items()}
    elif isinstance(value, list) and value:
        return [_checked_text(task, one) for one in value]
    elif isinstance(value, str):
        return bounds.text(value)
    wanted = "a list of words" if words else "a text or a list of texts"
    raise InputRefused(f"The task {task.name} takes {wanted}, not {bounds.describe(value)}. Send {_EXAMPLES['text']}.")
