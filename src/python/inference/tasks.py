"""The tasks that transformers serves, and what each takes: inputs, options at load, options at a call.

The names are read from transformers itself (signatures and the pipelines' own parameter checks), so they are those
of the version that is installed.
"""

import ast
import difflib
import functools
import inspect
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import libraries
from inference.errors import OptionUnknown, TaskUnknown

OWN_SETTINGS = ("name", "path", "model_url", "task")
"""What an item's settings may hold beside options; no option may be called so."""

OWN_OPTIONS = ("num_labels", "torch_dtype", "backend", "max_wait_ms", "calibration")
"""Options that this package takes itself: the size of an untrained head, the old name of `dtype`, and how to run."""

_CHAT = "task=text-generation with a chat model, the instruction in the text"
_PICTURE_CHAT = "task=image-text-to-text with a vision-language model, the picture as images and the question as text"
_REMOVED = {
    "summarization": _CHAT,
    "translation": _CHAT,
    "text2text-generation": _CHAT,
    "question-answering": f"{_CHAT}, or task=document-question-answering for pictures of pages",
    "conversational": _CHAT,
    "image-to-text": _PICTURE_CHAT,
    "visual-question-answering": _PICTURE_CHAT,
    "vqa": _PICTURE_CHAT,
    "image-to-image": "a diffusion library outside this production, called with HFOperation",
}

_TEXT = ("inputs", "text_inputs", "text", "texts", "sequences", "prompt")
_IMAGE = ("inputs", "image", "images", "url")
_INPUT_NAMES = {
    "text": _TEXT,
    "image": _IMAGE,
    "audio": ("inputs", "audio", "audios", "url"),
    "video": ("inputs", "video", "videos", "url"),
    "table": ("inputs",),
    "free": ("inputs", "request"),
}
_KINDS = {
    "audio-classification": "audio",
    "automatic-speech-recognition": "audio",
    "zero-shot-audio-classification": "audio",
    "video-classification": "video",
    "table-question-answering": "table",
    "decision": "free",
    "any-to-any": "free",
}
_IMAGE_TASKS = (
    *("image-", "object-", "depth-", "mask-", "keypoint-", "document-"),
    *("zero-shot-image-", "zero-shot-object-"),
)
_NOT_OPTIONS = {"self", "task", "model", "pipeline_class", "kwargs", "args", "args_parser", "inputs"}
_NOT_FIELDS = {
    *("num_workers", "videos", "load_audio_from_video", "text_queries", "parameters"),
    # What these hold decides how much memory a request takes, or what code runs: the operator's to say.
    *(
        "processor_kwargs",
        "image_processor_kwargs",
        "decoder_kwargs",
        "tesseract_config",
        "compile_config",
        "continuous_batching_config",
        "cache_config",
    ),
    *("cache_implementation", "max_cache_len", "prefill_chunk_size", "use_mtp", "speculation_type", "is_assistant"),
    # Generation with a second or a shortened model changes the model that other requests share.
    *("assistant_confidence_threshold", "assistant_early_exit", "assistant_ensemble_weight", "assistant_lookbehind"),
    *("num_assistant_tokens", "num_assistant_tokens_schedule", "target_lookbehind", "max_matching_ngram_size"),
    *("prompt_lookup_num_tokens", "token_healing"),
    *("transformers_version", "return_type", "low_memory", "chat_template", "return_dict_in_generate"),
}

# Fields of a request that this package takes itself, because the pipeline has no word for them: whether a text that is
# too long may be cut (these pipelines would cut it without a word), and how long an address may take to answer.
_OWN_FIELDS = {
    "zero-shot-classification": {"truncation"},
    "token-classification": {"truncation"},
}
_REFERRING = ("image", "audio", "video", "free")


@dataclass(frozen=True)
class Task:
    """One task. `kind` is that of its main input; `input_names` are the fields that may carry it.

    `own_options` are those of its pipeline alone, `load_options` and `call_options` all that can be given when the
    model is loaded and with a request.
    """

    name: str
    kind: str
    input_names: tuple[str, ...]
    own_options: tuple[str, ...]
    load_options: frozenset[str]
    call_options: frozenset[str]
    pipeline_class: Any
    auto_classes: tuple[Any, ...]


def lookup(name: str) -> Task:
    """The task called `name` (aliases such as `ner` included); raises `TaskUnknown` with what to use instead."""
    with libraries.lock:
        return _lookup(name)


@functools.cache
def _lookup(name: str) -> Task:
    from transformers import pipelines

    registry = pipelines.PIPELINE_REGISTRY
    plain = "translation" if name.startswith("translation_") else name
    if plain in _REMOVED:
        raise TaskUnknown(f"transformers 5 has removed the task {name}. Use {_REMOVED[plain]}.")
    if name not in registry.get_supported_tasks():
        raise TaskUnknown(_unknown_task(name, registry.get_supported_tasks()))
    name, entry, _ = registry.check_task(name)
    pipeline_class = pipelines._resolve_impl(entry["impl"])
    kind = _KINDS.get(name) or ("image" if name.startswith(_IMAGE_TASKS) else "text")
    own, rest = _accepted(pipeline_class)
    call = own | _named(pipeline_class.__call__) | {"batch_size"} | _PASSED_ON.get(rest, frozenset)()
    call |= _OWN_FIELDS.get(name, set()) | ({"timeout"} if kind in _REFERRING else set())
    load = own | _PASSED_ON.get(rest, frozenset)() | {"batch_size", "num_workers"}
    load |= _named(pipelines.pipeline) | _named(pipelines.base.Pipeline.__init__)
    if pipeline_class._pipeline_calls_generate:
        load |= _generation_fields() - set(pipeline_class._non_generation_params) | {"assistant_model"}
    names = dict.fromkeys([*_INPUT_NAMES[kind], *_first_parameter(pipeline_class)])
    return Task(
        name=name,
        kind=kind,
        input_names=tuple(names),
        own_options=tuple(sorted(own - _NOT_OPTIONS)),
        load_options=frozenset((load | set(OWN_OPTIONS)) - _NOT_OPTIONS),
        call_options=frozenset(call - _NOT_OPTIONS - _NOT_FIELDS),
        pipeline_class=pipeline_class,
        auto_classes=tuple(entry["pt"]),
    )


def check_load(task: Task, options: Iterable[str]) -> None:
    """Raises `OptionUnknown` for the first name that cannot be given when the task's model is loaded."""
    for name in options:
        if name not in task.load_options:
            known = [*task.load_options, *OWN_SETTINGS]
            raise OptionUnknown(
                f"The task {task.name} takes no setting {name!r}. {_suggest(name, known, task.own_options)} "
                "Correct it in the item's settings, or remove it."
            )


def check_call(task: Task, fields: Iterable[str]) -> None:
    """Raises `OptionUnknown` for the first field that a request to the task cannot carry."""
    for name in fields:
        if name not in task.call_options:
            hint = ""
            if "generate_kwargs" in task.call_options and name in _generation_fields():
                hint = f' Put it into generate_kwargs: {{"{name}": ...}}.'
            elif name in task.load_options:
                hint = " It can be given in the item's settings only."
            known = [*task.call_options, *task.input_names]
            raise OptionUnknown(
                f"A request to the task {task.name} takes no field {name!r}.{hint} "
                f"{_suggest(name, known, task.own_options)} Correct it in the request, or remove it."
            )


def _unknown_task(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    if not name:
        return f"No task is set. Set task to one of: {', '.join(names)}."
    near = difflib.get_close_matches(name, [*names, *_REMOVED], n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"There is no task {name!r}. {hint}Set task to one of: {', '.join(names)}."


def near_names(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...?` with those of `known` that are like `name`, or ''."""
    near = difflib.get_close_matches(name, sorted(set(known)), n=3, cutoff=0.7)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _suggest(name: str, known: Iterable[str], own: tuple[str, ...]) -> str:
    if near := near_names(name, known):
        return near
    return f"Its own options are: {', '.join(own)}." if own else "It has no options of its own."


def _named(function: Any) -> set[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name for name, parameter in inspect.signature(function).parameters.items() if parameter.kind in kinds}


def _first_parameter(pipeline_class: Any) -> list[str]:
    parameters = list(inspect.signature(pipeline_class.__call__).parameters.values())[1:2]
    return [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]


def _accepted(pipeline_class: Any) -> tuple[set[str], str]:
    """The names that `_sanitize_parameters` knows, and the name of its parameter for all others ('' if none)."""
    function = pipeline_class._sanitize_parameters
    names = _named(function) - {"self"}
    rest = [p.name for p in inspect.signature(function).parameters.values() if p.kind is inspect.Parameter.VAR_KEYWORD]
    return (names | _read_from(function, rest[0]), rest[0]) if rest else (names, "")


def _read_from(function: Any, mapping: str) -> set[str]:
    """The keys that `function` reads from its parameter `mapping`: `"key" in m`, `m["key"]`, `m.get("key")`."""
    keys: set[str] = set()

    def is_mapping(node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == mapping

    def keep(node: ast.AST) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            keys.add(node.value)

    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Compare) and is_mapping(node.comparators[0]):
            keep(node.left)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and is_mapping(node.value):
            keep(node.slice)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_mapping(node.func.value):
            for argument in node.args[:1]:
                keep(argument)
    return keys


@functools.cache
def _generation_fields() -> frozenset[str]:
    with libraries.lock:
        from transformers import GenerationConfig

    return frozenset(name for name in vars(GenerationConfig()) if not name.startswith("_"))


@functools.cache
def _tokenizer_fields() -> frozenset[str]:
    with libraries.lock:
        from transformers import PreTrainedTokenizerBase

    texts = {"self", "text", "text_pair", "text_target", "text_pair_target", "kwargs"}
    names = _named(PreTrainedTokenizerBase.__call__) - texts
    return frozenset(name for name in names if not name.startswith("return_"))  # what a pipeline asks for itself


def nested_names(option: str) -> frozenset[str] | None:
    """The names that a JSON object given with a request as `option` may hold; None if that depends on the model."""
    return _NESTED[option]() - _NOT_FIELDS if option in _NESTED else None


def holds_object(option: str) -> bool:
    """Whether the option is a JSON object, so that null means it is left out."""
    return option.endswith(("_kwargs", "_params"))


# What a pipeline does with the options it does not know, by the name it gives them.
_PASSED_ON = {"generate_kwargs": _generation_fields, "tokenizer_kwargs": _tokenizer_fields}

# Options that are JSON objects, and what is in them.
_NESTED = {
    "generate_kwargs": _generation_fields,
    "tokenizer_kwargs": _tokenizer_fields,
    "tokenize_kwargs": _tokenizer_fields,
    "tokenizer_encode_kwargs": _tokenizer_fields,
}
