"""The tasks a hosted model is asked by name: which method of the client does one, and what it takes."""

import base64
import difflib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from inference import source
from inference.errors import InputRefused, OptionUnknown, TaskUnknown

CHAT = "conversational"
_SYNONYMS = {
    "chat": CHAT,
    "chat-completion": CHAT,
    "image-text-to-text": CHAT,
    "ner": "token-classification",
    "sentiment-analysis": "text-classification",
    "text2text-generation": "text-generation",
}
_MEDIA = ("audio", "image")
_STREAMED = (CHAT, "text-generation")
_RENAMED = {  # as the hub's documents write them
    "sentence-similarity": {"source_sentence": "sentence", "sentences": "other_sentences"},
}
# Task -> the arguments that `inputs` stands for: the first alone, or all of them as a JSON object.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "audio-classification": ("audio",),
    "audio-to-audio": ("audio",),
    "automatic-speech-recognition": ("audio",),
    CHAT: ("messages",),
    "document-question-answering": ("image", "question"),
    "feature-extraction": ("text",),
    "fill-mask": ("text",),
    "image-classification": ("image",),
    "image-segmentation": ("image",),
    "image-to-image": ("image", "prompt"),
    "image-to-text": ("image",),
    "image-to-video": ("image", "prompt"),
    "object-detection": ("image",),
    "question-answering": ("question", "context"),
    "sentence-similarity": ("sentence", "other_sentences"),
    "summarization": ("text",),
    "table-question-answering": ("table", "query"),
    "tabular-classification": ("table",),
    "tabular-regression": ("table",),
    "text-classification": ("text",),
    "text-generation": ("prompt",),
    "text-to-image": ("prompt",),
    "text-to-speech": ("text",),
    "text-to-video": ("prompt",),
    "token-classification": ("text",),
    "translation": ("text",),
    "visual-question-answering": ("image", "question"),
    "zero-shot-classification": ("text", "candidate_labels"),
    "zero-shot-image-classification": ("image", "candidate_labels"),
}


@dataclass(frozen=True)
class HostedTask:
    """A task by the hub's name; `method` is that of the client."""

    name: str
    arguments: tuple[str, ...]

    @property
    def method(self) -> str:
        return "chat_completion" if self.name == CHAT else self.name.replace("-", "_")


def find(name: str) -> HostedTask:
    """The task of that name; raises `TaskUnknown` with near ones."""
    known = _SYNONYMS.get(name, name)
    if known not in _ARGUMENTS:
        raise TaskUnknown(f"No hosted task is called {name!r}.{near(name, [*_ARGUMENTS, *_SYNONYMS])}")
    return HostedTask(known, _ARGUMENTS[known])


def arguments(
    task: HostedTask, method: Any, inputs: Any, parameters: Mapping[str, Any], stream: bool
) -> dict[str, Any]:
    """What `method` is called with. Pictures and sounds, given by reference, are read.

    Raises `OptionUnknown` for a parameter that it does not take, and `InputRefused` for what is missing.
    """
    signature = inspect.signature(method).parameters
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.values())
    taken = {name for name in signature if name not in ("self", "model", "stream", "kwargs")}
    for name in parameters:
        if name == "stream":
            raise OptionUnknown("stream is a field of the request and no parameter. Move it out of parameters.")
        if name == "model" or (name not in taken and not is_open):
            raise OptionUnknown(f"The hosted task {task.name} takes no parameter {name!r}.{near(name, taken)}")
    values = {**parameters, **_spread(task, inputs)}
    required = [name for name in signature if name in taken and signature[name].default is inspect.Parameter.empty]
    missing = [name for name in required if values.get(name) in (None, "", [])]
    if missing:
        raise InputRefused(
            f"The hosted task {task.name} lacks {' and '.join(missing)}. Send inputs as a JSON object with "
            f"{', '.join(task.arguments)}."
            if len(task.arguments) > 1
            else f"The hosted task {task.name} has nothing to work on. Send inputs with its {task.arguments[0]}."
        )
    for name in {"text", "prompt"} & set(task.arguments):
        # Of several texts the client would answer the first alone, without a word.
        if name in values and not isinstance(values[name], str) and task.name != "feature-extraction":
            raise InputRefused(
                f"The hosted task {task.name} takes one {name} at a time. Send a message for each, or api_url with the "
                "list as its payload."
            )
    for name in _MEDIA:
        if name in task.arguments:
            values[name] = _media(values[name])
    if stream:
        if task.name not in _STREAMED:
            raise OptionUnknown(f"The hosted task {task.name} cannot stream. Leave stream out.")
        values["stream"] = True
    return values


def as_messages(inputs: Any) -> list[dict[str, Any]]:
    """Chat messages: `inputs` as they are, or a text as what the user says. Pictures by path become data URIs."""
    if isinstance(inputs, str) and inputs:
        return [{"role": "user", "content": inputs}]
    if not isinstance(inputs, list) or not inputs or not all(isinstance(each, dict) for each in inputs):
        raise InputRefused('messages must be a list such as [{"role": "user", "content": "Hello"}].')
    return [
        {**each, "content": [_part(part) for part in each["content"]]}
        if isinstance(each.get("content"), list)
        else each
        for each in inputs
    ]


def media_type(data: bytes) -> str:
    """What the first bytes of a picture, a sound or a film say it is; '' if they say nothing."""
    if data[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return {b"M4A ": "audio/mp4", b"avif": "image/avif", b"heic": "image/heic"}.get(data[8:12], "video/mp4")
    for beginning, name in _BEGINNINGS:
        if data.startswith(beginning):
            return name
    return ""


_BEGINNINGS = (
    (b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"), (b"MM\x00*", "image/tiff"), (b"fLaC", "audio/flac"), (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"), (b"\xff\xfb", "audio/mpeg"), (b"\xff\xf3", "audio/mpeg"), (b"\x1aE\xdf\xa3", "video/webm"),
)  # fmt: skip


def near(name: str, names: Iterable[str]) -> str:
    """A sentence with what may have been meant, or all there is."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=3)
    return f" Did you mean {' or '.join(close)}?" if close else f" There are: {', '.join(known)}."


def _spread(task: HostedTask, inputs: Any) -> dict[str, Any]:
    """`inputs` by the names of the arguments."""
    renamed = _RENAMED.get(task.name, {})
    values: dict[str, Any] = {}
    if isinstance(inputs, Mapping):
        values = {renamed.get(str(name), str(name)): value for name, value in inputs.items()}
    if values.keys() & set(task.arguments):
        if unknown := sorted(values.keys() - set(task.arguments)):
            raise InputRefused(
                f"The inputs of the hosted task {task.name} have no {unknown[0]!r}.{near(unknown[0], task.arguments)}"
            )
        return values
    return {} if inputs is None else {task.arguments[0]: inputs}


def _media(reference: Any) -> bytes:
    if not isinstance(reference, str):
        raise InputRefused("A picture or a sound is given as an address, a path, or a data URI, as one text.")
    return source.read(reference)


def _part(part: Any) -> Any:
    """A part of a chat message; a picture in one of our folders is sent along, because nobody else can read it."""
    picture: Any = part.get("image_url") if isinstance(part, dict) else None
    url = picture.get("url") if isinstance(picture, dict) else None
    if not isinstance(url, str) or url.startswith(("data:", "https://", "http://")):
        return part
    data = source.read(url)
    if not (kind := media_type(data)).startswith("image/"):
        raise InputRefused(f"{url} is no picture. Give a JPEG, PNG, GIF or WebP file.")
    return {**part, "image_url": {**picture, "url": f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"}}
