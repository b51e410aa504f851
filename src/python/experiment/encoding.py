"""Texts as token ids, and long texts as windows: what `encode_data` and its neighbours do by default.

A row is a window of one document: the first tokens of a window repeat the last ones of the window before. `document` is
the number of the record, so that the core finds a document's windows again. With LONG_DOCUMENTS = cut a document has
one row, its beginning.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libraries
from experiment.errors import ModelUnusable
from experiment.functions import Config

KEYS = ("input_ids", "attention_mask")
_PIECE = 20_000  # characters: a tokenizer keeps some hundred bytes for each token of a text until it is through
_MOST_POSITIONS = 1_000_000  # a tokenizer that does not know its limit says a huge number
_UNKNOWN_LIMIT = 512
_OFFSET_KINDS = frozenset({"roberta", "xlm-roberta", "camembert", "longformer", "mpnet", "data2vec-text"})


def features(config: Config) -> Any:
    """The schema of the rows: ids, mask, label, and the number of the document."""
    with libraries.lock:
        import datasets

    return datasets.Features(
        {
            "input_ids": datasets.List(datasets.Value("int32")),
            "attention_mask": datasets.List(datasets.Value("int8")),
            "labels": datasets.ClassLabel(names=list(config.labels)),
            "document": datasets.Value("int64"),
        }
    )


def encode(batch: dict[str, list[Any]], config: Config) -> dict[str, list[Any]]:
    """The windows of a batch of records (`text`, `label`, `row`), as columns."""
    labels = {name: number for number, name in enumerate(config.labels)}
    rows: dict[str, list[Any]] = {"input_ids": [], "attention_mask": [], "labels": [], "document": []}
    for ids, label, row in zip(token_ids(batch["text"], config), batch["label"], batch["row"], strict=True):
        for window in windows(ids, config):
            rows["input_ids"].append(window)
            rows["attention_mask"].append([1] * len(window))
            rows["labels"].append(labels[label])
            rows["document"].append(row)
    return rows


def token_ids(texts: list[str], config: Config) -> list[list[int]]:
    """The ids of each text, without the marks at its ends.

    A text is read in pieces that end at white space, so that one of a thousand pages takes no more memory than a page.
    """
    reader = tokenizer(config.model_folder)
    cut = config["text.LONG_DOCUMENTS"] == "cut"
    enough = max_tokens(config) if cut else None
    found: list[list[int]] = []
    short = [text for text in texts if len(text) <= _PIECE]
    at_once = iter(_ids(reader, short))
    for text in texts:
        if len(text) <= _PIECE:
            found.append(next(at_once))
            continue
        ids: list[int] = []
        for piece in _pieces(text):
            ids += _ids(reader, [piece])[0]
            if enough is not None and len(ids) >= enough:
                break
        found.append(ids)
    return found


def windows(ids: list[int], config: Config) -> list[list[int]]:
    """The windows of a document, each with the marks that the model expects at the ends of a text."""
    before, after = marks(config.model_folder)
    room = max_tokens(config) - len(before) - len(after)
    if len(ids) <= room or config["text.LONG_DOCUMENTS"] == "cut":
        return [[*before, *ids[:room], *after]]
    step = max(1, room - int(config["text.OVERLAP_TOKENS"]))
    # A last window that held nothing new would count the end of the document twice.
    starts = range(0, len(ids) - (room - step), step)
    return [[*before, *ids[start : start + room], *after] for start in starts]


def max_tokens(config: Config) -> int:
    """The most tokens of a window: MAX_TOKENS, and never more than the model takes."""
    limit = model_limit(config.model_folder)
    asked = config["text.MAX_TOKENS"]
    return limit if asked == "auto" else min(int(asked), limit)


def tokenizer(folder: Path) -> Any:
    """The tokenizer in a model's folder. Raises `ModelUnusable`."""
    return _known(folder, _changed_ns(folder)).tokenizer


def marks(folder: Path) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a text."""
    known = _known(folder, _changed_ns(folder))
    return known.before, known.after


def model_limit(folder: Path) -> int:
    """The most tokens that the model takes, its marks included."""
    return _known(folder, _changed_ns(folder)).limit


@dataclass(frozen=True)
class _Known:
    """What a model's folder says of the texts that it reads."""

    tokenizer: Any
    before: list[int]
    after: list[int]
    limit: int


def _changed_ns(folder: Path) -> int:
    """When something in the folder changed last: in a process that lives long it may hold another model by now."""
    return max((file.stat().st_mtime_ns for file in folder.glob("*.json")), default=0)


@functools.lru_cache(maxsize=16)
def _known(folder: Path, _changed_ns: int) -> _Known:
    with libraries.lock:
        import transformers

        transformers.utils.logging.set_verbosity_error()
        options = {"local_files_only": True, "trust_remote_code": False}
        try:
            config = transformers.AutoConfig.from_pretrained(folder, **options)
            found = transformers.AutoTokenizer.from_pretrained(folder, **options)
        except (OSError, ValueError, KeyError) as error:
            raise ModelUnusable(f"The tokenizer in {folder} cannot be loaded: {error} Put one there.") from error
    if found.pad_token is None:
        found.pad_token = found.eos_token
    bare, whole = _ids(found, ["a"])[0], list(found("a")["input_ids"])
    at = next((at for at in range(len(whole)) if whole[at : at + len(bare)] == bare), 0)
    return _Known(found, whole[:at], whole[at + len(bare) :], _limit(found, config))


def _limit(reader: Any, config: Any) -> int:
    limits = [int(reader.model_max_length)]
    if positions := getattr(config, "max_position_embeddings", None):
        # RoBERTa and its kin count positions from behind the padding's.
        offset = (config.pad_token_id or 0) + 1 if config.model_type in _OFFSET_KINDS else 0
        limits.append(int(positions) - offset)
    return min(limits) if min(limits) < _MOST_POSITIONS else _UNKNOWN_LIMIT


def _ids(reader: Any, texts: list[str]) -> list[list[int]]:
    if not texts:
        return []
    return list(reader(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"])


def _pieces(text: str) -> list[str]:
    pieces, start = [], 0
    while len(text) - start > _PIECE:
        end = text.rfind(" ", start + 1, start + _PIECE)
        end = end if end > start else start + _PIECE
        pieces.append(text[start:end])
        start = end
    return [*pieces, text[start:]]
