"""Which of a repository's files a model needs: configurations, vocabularies, and one copy of its weights."""

import json
from collections.abc import Callable, Collection

from inference.errors import DownloadFailed

WHOLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLED = "pytorch_model.bin"
PICKLED_INDEX = "pytorch_model.bin.index.json"
TEMPLATES = "additional_chat_templates"
"""The one folder inside a model's that transformers reads."""

_ENDINGS = (".json", ".txt", ".jinja", ".model", ".tiktoken", ".spm", ".codes", ".bpe", ".vocab")
_OF_TRAINING = ("all_results.json", "eval_results.json", "train_results.json", "trainer_state.json")
_OTHER_FORMATS = (".bin", ".pt", ".pth", ".h5", ".msgpack", ".ckpt", ".onnx", ".gguf", ".tflite", ".ot")
_READING = ("README.md", "LICENSE", "NOTICE")


def is_name(name: str) -> bool:
    """Whether `name` is a file's plain name, or one in the folder of chat templates; nothing else is ever fetched."""
    folder, _, last = name.rpartition("/")
    return (
        folder in ("", TEMPLATES)
        and 0 < len(last) <= 200
        and not last.startswith(".")
        and last.isprintable()
        and not set(last) & set('\\:*?"<>|')
    )


def texts(names: Collection[str], what: str) -> list[str]:
    """All needed files but the weights; raises `DownloadFailed` if `what` is no model that transformers can run."""
    if "config.json" not in names:
        hint = "; it is one for diffusers, not for transformers" if "model_index.json" in names else ""
        hint = "; it is an adapter: merge it into its base model first" if "adapter_config.json" in names else hint
        raise DownloadFailed(
            f"{what} has no config.json, so transformers cannot run it{hint}. Choose a model whose page on the hub "
            "names the library transformers."
        )
    return sorted(
        name
        for name in names
        if is_name(name) and (name.startswith(_READING) or (name.endswith(_ENDINGS) and not _is_other(name)))
    )


def weights(names: Collection[str], what: str, *, pickled: bool, read: Callable[[str], str]) -> list[str]:
    """The files of the weights, safetensors if there are any; `read` gives an index's text.

    `pickled` allows a pickled checkpoint where there are none. Raises `DownloadFailed`.
    """
    if WHOLE in names:
        return [WHOLE]
    if INDEX in names:
        return _shards(names, what, INDEX, read(INDEX))
    if pickled and PICKLED in names:
        return [PICKLED]
    if pickled and PICKLED_INDEX in names:
        return _shards(names, what, PICKLED_INDEX, read(PICKLED_INDEX))
    others = ", ".join(sorted(name for name in names if name.endswith(_OTHER_FORMATS) and "/" not in name)) or "none"
    able = PICKLED in names or PICKLED_INDEX in names
    raise DownloadFailed(
        f"{what} has no weights in the safetensors format (others: {others}). Look for a revision with safetensors on "
        "its page (often refs/pr/1) and set revision, or choose another model"
        + (
            "; or, if you trust its owner, set allow_pickle=true: the pickled weights are read without running their "
            "code, and kept as safetensors."
            if able
            else "."
        )
    )


def _shards(names: Collection[str], what: str, index: str, text: str) -> list[str]:
    try:
        shards = sorted({str(name) for name in json.loads(text)["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadFailed(f"{what} has an {index} that lists no weights. Choose another revision.") from error
    wrong = [name for name in shards if name not in names or not is_name(name) or "/" in name]
    if wrong or not shards:
        raise DownloadFailed(
            f"{what} is not whole: its {index} lists {', '.join(wrong[:3]) or 'nothing'}, which it does not have. "
            "Choose another revision."
        )
    return shards


def _is_other(name: str) -> bool:
    """Whether a text file belongs to another format of the weights, or to the training that made them."""
    return name in _OF_TRAINING or (name.endswith(".index.json") and name != INDEX)
