"""A call is fitted to the loaded model: what it can read and write, how fast it hears, how much of a film it sees."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from inference import audio, bounds, generation, suppression, tokens, video
from inference.errors import InputRefused
from inference.tasks import Task

if TYPE_CHECKING:
    from inference.inputs import Call

_WAYS_TO_SHORTEN = {
    "text-classification": "set truncation=true to leave out the rest",
    "zero-shot-classification": "set truncation=true to leave out the rest",
    "feature-extraction": "set truncation=true to leave out the rest",
    "token-classification": (
        "set stride=64 (with an aggregation_strategy) to read it in overlapping pieces, or truncation=true to leave "
        "out the rest"
    ),
    "fill-mask": 'set tokenizer_kwargs={"truncation": true} to leave out the rest',
}
_GENERATES = ("automatic-speech-recognition", "image-text-to-text", "any-to-any", "text-to-audio")
_TEMPLATES = {
    "zero-shot-image-classification": "This is a photo of {}.",
    "zero-shot-audio-classification": "This is a sound of {}.",
}
_LABELLED = ("zero-shot-image-classification", "zero-shot-audio-classification", "zero-shot-object-detection")


def fit(pipeline: Any, task: Task, call: "Call", settings: Mapping[str, Any]) -> None:
    """Checks the call against what the loaded model can read and write; sets what the request left open.

    Sounds become samples at the model's rate, films what the pipeline reads. Raises `InputRefused`; may lower lengths
    that the model cannot reach, or leave out tokens where that was asked, and says so in `call.notes`.
    """
    for name, value in settings.items():
        bounds.check_number(name, value)
    if task.name == "fill-mask":
        _check_masks(pipeline.tokenizer, call.main)
    if task.name == "text-generation":
        generation.fit_text(pipeline, call, settings)
    elif task.name in _WAYS_TO_SHORTEN:
        _fit_texts(pipeline, task, call, settings)
    elif task.name == "table-question-answering":
        _fit_tables(pipeline, call, settings)
    elif task.name in _LABELLED:
        _check_labels(pipeline, task, call)
    elif task.name == "mask-generation":
        suppression.provide(pipeline.image_processor)
    elif task.name in ("image-text-to-text", "any-to-any", "decision"):
        generation.check_prompt(pipeline, call)
    elif task.name == "document-question-answering":
        _check_question(pipeline, call, settings)
    elif task.name == "text-to-audio":
        generation.check_speech(pipeline, call)
        generation.fit_parameters(pipeline, call)
    if task.name in _GENERATES:
        generation.cap(pipeline, call)
    if task.kind in ("audio", "free"):
        _fit_sounds(pipeline, task, call)
    if task.kind == "video":
        _fit_films(pipeline, call, settings)


def _check_masks(tokenizer: Any, main: Any) -> None:
    mask = tokenizer.mask_token
    for text in tokens.texts(main):
        if mask not in text:
            raise InputRefused(
                f"The text has no {mask}, the mark of this model for a missing word. Write {mask} where the word is "
                f"missing, for example: George Washington lived in {mask}."
            )


def _fit_texts(pipeline: Any, task: Task, call: "Call", settings: Mapping[str, Any]) -> None:
    """Texts that are too long: refused, or cut where that was asked, and said."""
    wanted = {**settings, **call.options}
    cuts = tokens.are_cut(wanted)
    if task.name in ("token-classification", "zero-shot-classification"):
        call.options.pop("truncation", None)  # ours: these pipelines always cut
    if task.name == "token-classification" and wanted.get("stride"):
        return
    limit = tokens.limit(pipeline)
    length = tokens.options(wanted).get("max_length", wanted.get("max_length"))
    if isinstance(length, int) and length > limit:
        raise InputRefused(f"max_length={length} is more than the {limit} tokens that this model reads. Lower it.")
    if cuts and isinstance(length, int):
        limit = length
    labels = wanted.get("candidate_labels") if task.name == "zero-shot-classification" else None
    for text in tokens.texts(call.main, pairs=True):
        count = _count_with(pipeline, text, labels, wanted, limit) if labels else tokens.count(pipeline, text, limit)
        if count <= limit:
            continue
        if not cuts:
            raise InputRefused(
                f"The text has {count} tokens and this model reads at most {limit}. Shorten it, or "
                f"{_WAYS_TO_SHORTEN[task.name]}."
            )
        call.notes.append(f"A text was cut to {limit} tokens; {count - limit} were left out.")


def _count_with(pipeline: Any, text: Any, labels: Any, wanted: Mapping[str, Any], limit: int) -> int:
    """The tokens of a text and the longest of the statements that it is compared with."""
    template = str(wanted.get("hypothesis_template") or "This example is {}.")
    longest = max((template.format(label) for label in labels), key=len)
    return tokens.count(pipeline, {"text": text, "text_pair": longest}, limit)


def _fit_tables(pipeline: Any, call: "Call", settings: Mapping[str, Any]) -> None:
    """A table with more rows than the model can read: refused, or rows are left out where that was asked, and said."""
    import pandas

    wanted = {**settings, **call.options}
    limit = tokens.limit(pipeline)
    for asked in call.main if isinstance(call.main, list) else [call.main]:
        table = pandas.DataFrame(asked["table"])
        size = sum(len(cell.encode()) + 2 for column in asked["table"].values() for cell in column)
        for query in asked["query"] if isinstance(asked["query"], list) else [asked["query"]]:
            if size + len(query.encode()) + 2 * len(table) < limit:
                continue
            count = len(pipeline.tokenizer(table, query, truncation=False, verbose=False)["input_ids"])
            if count <= limit:
                continue
            if not tokens.are_cut(wanted):
                raise InputRefused(
                    f"The table and its question have {count} tokens and this model reads at most {limit}. Send fewer "
                    "rows, or set truncation=true to leave out the last ones."
                )
            call.notes.append(
                f"The table and its question have {count} tokens and this model reads {limit}: the last rows were left "
                "out."
            )


def _check_labels(pipeline: Any, task: Task, call: "Call") -> None:
    config = pipeline.model.config
    positions = getattr(getattr(config, "text_config", config), "max_position_embeddings", None)
    limit = min(tokens.limit(pipeline), positions or tokens.MOST)
    template = str(call.options.get("hypothesis_template") or _TEMPLATES.get(task.name, "{}"))
    for label in call.options["candidate_labels"]:
        count = tokens.count(pipeline, template.format(label), limit)
        if count > limit:
            raise InputRefused(
                f"The candidate label {label[:40]!r} has {count} tokens and this model reads at most {limit}. Shorten "
                "it."
            )


def _check_question(pipeline: Any, call: "Call", settings: Mapping[str, Any]) -> None:
    """The pipeline would cut a long question without a word."""
    most = call.options.get("max_question_len") or settings.get("max_question_len") or 64
    if pipeline.tokenizer is None or "word_boxes" not in call.options:
        return
    count = len(pipeline.tokenizer(call.options["question"], add_special_tokens=False, verbose=False)["input_ids"])
    if count > most:
        raise InputRefused(
            f"The question has {count} tokens and max_question_len is {most}. Shorten it, or raise max_question_len."
        )


def _fit_sounds(pipeline: Any, task: Task, call: "Call") -> None:
    extractor = pipeline.feature_extractor or getattr(pipeline.processor, "feature_extractor", None)
    rate_hz = getattr(extractor, "sampling_rate", None)

    def heard(value: Any) -> Any:
        if isinstance(value, audio.Sound):
            if rate_hz is None:
                raise InputRefused("This model hears no sounds. Send text, or choose another model.")
            return audio.at_rate(value, rate_hz)
        if isinstance(value, list):
            return [heard(one) for one in value]
        return {name: heard(part) for name, part in value.items()} if isinstance(value, dict) else value

    longest_s = max((one.seconds for one in _sounds(call.main)), default=0.0)
    heard_s = _heard_s(extractor)
    if task.kind == "audio" and task.name != "automatic-speech-recognition" and heard_s and longest_s > heard_s:
        call.notes.append(f"This model hears {heard_s:g} s at once; {longest_s - heard_s:.1f} s were left out.")
    call.main = heard(call.main)
    if "audio" in call.options:
        call.options["audio"] = heard(call.options["audio"])


def _heard_s(extractor: Any) -> float | None:
    """How much of a sound the model's extractor keeps, if it cuts: CLAP by seconds, AST by frames of 10 ms."""
    if getattr(extractor, "max_length_s", None):
        return float(extractor.max_length_s)
    if type(extractor).__name__ == "ASTFeatureExtractor":
        return float(extractor.max_length) / 100
    return None


def _fit_films(pipeline: Any, call: "Call", settings: Mapping[str, Any]) -> None:
    wanted = {**settings, **call.options}
    frames = wanted.get("num_frames") or getattr(pipeline.model.config, "num_frames", None) or 1
    every = wanted.get("frame_sampling_rate") or 1

    def seen(film: video.Film) -> Any:
        video.check_frames(film, frames, every)
        return film.opened()

    call.main = [seen(one) for one in call.main] if isinstance(call.main, list) else seen(call.main)


def _sounds(main: Any) -> Iterable[audio.Sound]:
    return [one for one in (main if isinstance(main, list) else [main]) if isinstance(one, audio.Sound)]
