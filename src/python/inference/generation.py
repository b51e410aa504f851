"""What a model is to write, say or transcribe: as long as it can be, its prompt as long as it may be."""

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from inference import bounds, tokens
from inference.errors import InputRefused
from inference.tasks import nested_names

if TYPE_CHECKING:
    from inference.inputs import Call

_MOST_NEW_TOKENS = 4_096  # where a model knows no limit
_MOST_SPOKEN_TOKENS = 2_048
_FIRST_TOKENS = 4  # of a transcription: its start, language, task, and whether with times


def check_prompt(pipeline: Any, call: "Call") -> None:
    """The texts beside pictures and sounds, and those of a decision, against the places that the model has."""
    tokenizer = pipeline.tokenizer or pipeline.processor.tokenizer
    limit = _places(pipeline) or tokens.MOST
    texts = list(_all_texts([call.main, call.options.get("text")]))
    if sum(len(text.encode()) for text in texts) < limit:
        return
    count = sum(len(tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in texts)
    if count >= limit:
        raise InputRefused(f"The texts have {count} tokens and this model reads at most {limit}. Shorten them.")


def _all_texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _all_texts(part)


def check_speech(pipeline: Any, call: "Call") -> None:
    """A text that is to be spoken: the memory that it takes grows with the square of its length."""
    limit = min(tokens.limit(pipeline), _MOST_SPOKEN_TOKENS)
    for text in tokens.texts(call.main):
        count = tokens.count(pipeline, text, limit // 2)  # VITS puts a blank between two letters
        if count > limit:
            raise InputRefused(
                f"The text has {count} tokens and at most {limit} are spoken at once. Send it in pieces."
            )


def fit_text(pipeline: Any, call: "Call", settings: Mapping[str, Any]) -> None:
    """A text or chat that is to be continued: it and what is written must have room in the model together."""
    wanted = {**settings, **call.options}
    answers, beams = wanted.get("num_return_sequences") or 1, wanted.get("num_beams") or 1
    if answers > 1 and wanted.get("do_sample") is False and beams < answers:
        raise InputRefused(
            f"Without sampling there are {beams} different texts, not {answers}. Leave out do_sample, or set "
            f"num_beams={answers}."
        )
    limit, length, new = tokens.limit(pipeline), wanted.get("max_length"), wanted.get("max_new_tokens")
    prefix = str(wanted.get("prefix") or "")
    texts = [prefix + text if isinstance(text, str) else text for text in tokens.texts(call.main, chats=True)]
    longest = max((tokens.count(pipeline, text, min(limit, length or limit)) for text in texts), default=0)
    if wanted.get("handle_long_generation") == "hole" or tokens.are_cut(wanted):
        longest = _shorten_prompt(pipeline, call, wanted, longest, limit)
    if longest >= limit:
        raise InputRefused(
            f"The text has {longest} tokens and this model reads and writes at most {limit} together. Shorten it, or "
            "set truncation=true to leave out its end."
        )
    if new is None and length is not None and length <= longest:
        raise InputRefused(
            f"The text has {longest} tokens and max_length={length} counts them too, so nothing is left to write. "
            "Raise max_length, or use max_new_tokens, which counts only what is written."
        )
    _cap(pipeline, call, limit - longest, limit, new, length)


def _shorten_prompt(pipeline: Any, call: "Call", wanted: Mapping[str, Any], longest: int, limit: int) -> int:
    """Leave out what of the text does not fit beside what is to be written, and say so; the tokens that are left."""
    new = wanted.get("max_new_tokens") or pipeline._generation_defaults.get("max_new_tokens") or limit
    kept = limit - min(new, limit // 2)
    hole = wanted.get("handle_long_generation") == "hole"
    if tokens.are_cut(wanted):
        call.options.pop("truncation", None)
        call.options["tokenizer_encode_kwargs"] = {**tokens.options(wanted), "truncation": True, "max_length": kept}
    elif hole:
        call.options["max_new_tokens"] = limit - kept
    if longest <= kept:
        return longest
    place = "beginning" if hole and not tokens.are_cut(wanted) else "end"
    call.notes.append(f"A text was cut to {kept} tokens; {longest - kept} at its {place} were left out.")
    return kept


def _cap(pipeline: Any, call: "Call", room: int, limit: int, new: int | None, length: int | None) -> None:
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


def cap(pipeline: Any, call: "Call") -> None:
    """The same for tasks that write beside something else: as much as the model has places."""
    places = _places(pipeline)
    most = min(_MOST_NEW_TOKENS, places - _FIRST_TOKENS) if places else _MOST_NEW_TOKENS
    for options in (call.options, call.options.get("generate_kwargs"), call.options.get("forward_params")):
        for name in ("max_new_tokens", "max_length", "min_length", "min_new_tokens"):
            if isinstance(options, dict) and isinstance(options.get(name), int) and options[name] > most:
                call.notes.append(f"{name} was lowered from {options[name]} to {most}, the most for this model.")
                options[name] = most


def _places(pipeline: Any) -> int | None:
    """How many tokens the model that writes has places for, if it says so."""
    config = pipeline.model.config
    text = config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config
    places = getattr(text, "max_target_positions", None) or getattr(text, "max_position_embeddings", None)
    return places if isinstance(places, int) and places > _FIRST_TOKENS else None


def fit_parameters(pipeline: Any, call: "Call") -> None:
    """Lists of numbers, such as the embedding of a speaker, become tensors; names that nothing takes are refused."""
    import torch

    given = call.options.get("forward_params")
    if not given:
        return
    known = set(inspect.signature(pipeline.model.forward).parameters) | (nested_names("generate_kwargs") or set())
    if pipeline.model.can_generate():
        known |= set(inspect.signature(pipeline.model.generate).parameters)
    bounds.refuse_unknown("forward_params", given, known - {"self", "kwargs"})
    call.options["forward_params"] = {
        name: torch.tensor([value], dtype=torch.float32) if isinstance(value, list) else value
        for name, value in given.items()
    }
