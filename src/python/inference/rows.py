"""The inputs of several requests as the rows of one batch, and the batch's outputs as theirs again."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from inference.errors import InferenceError

_PATCH_PIXELS = 256  # a picture's size in tokens, as those vision transformers count that see 16 x 16 pixels at once
_MASKS = ("attention_mask",)


class NotRows(InferenceError, TypeError):
    """The model's outputs are no rows, one for each input; what asked for them has to run alone."""


def measure(inputs: Mapping[str, Any], padding: bool) -> tuple[int, Hashable]:
    """The size of one request's inputs in tokens, and the kind: inputs of one kind can be rows of a batch.

    With `padding` inputs of different length are of one kind, if a mask tells the model what is padding.
    """
    import torch

    length = _length(inputs) if padding else None
    kind: list[Hashable] = []
    size = 1
    for name, value in sorted(inputs.items()):
        if not isinstance(value, torch.Tensor):
            kind.append((name, None))
            continue
        shape = tuple(value.shape[1:])
        if name in ("pixel_values", "input_features", "input_values"):
            size = max(size, value[0].numel() // (3 * _PATCH_PIXELS))
        elif name == "input_ids":
            size = max(size, shape[0] if shape else 1)
        if length is not None and shape[:1] == (length,):
            shape = (0, *shape[1:])
        kind.append((name, str(value.dtype), shape, value.shape[0] == 1))
    return size, tuple(kind)


def _length(inputs: Mapping[str, Any]) -> int | None:
    """How many tokens the inputs have along their second dimension; None if they must not be padded."""
    ids = inputs.get("input_ids")
    if ids is None or ids.ndim != 2 or not any(name in inputs for name in _MASKS):
        return None
    return int(ids.shape[1])


def join(items: Sequence[Mapping[str, Any]], pad_values: Mapping[str, int]) -> dict[str, Any]:
    """One batch of inputs of one kind: tensors below each other, padded on the right; of all else a list."""
    import torch

    joined: dict[str, Any] = {}
    for name, first in items[0].items():
        values = [item[name] for item in items]
        if not isinstance(first, torch.Tensor):
            joined[name] = values
        elif len({value.shape for value in values}) == 1:
            joined[name] = torch.cat(values)
        else:
            longest = max(value.shape[1] for value in values)
            shape = (len(values), longest, *first.shape[2:])
            joined[name] = torch.full(shape, pad_values.get(name, 0), dtype=first.dtype)
            for row, value in enumerate(values):
                joined[name][row, : value.shape[1]] = value[0]
    return joined


def split(outputs: Any, items: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The outputs of a batch for each of its inputs, as if it had run alone. Raises `NotRows`."""
    lengths = [_length(item) for item in items]
    longest = max((length for length in lengths if length is not None), default=None)
    return [
        type(outputs)({name: _given(name, value, row, items, longest) for name, value in outputs.items()})
        for row in range(len(items))
    ]


def _given(name: str, value: Any, row: int, items: Sequence[Mapping[str, Any]], longest: int | None) -> Any:
    if name in items[row]:
        return items[row][name]  # passed through, and here still without padding
    return _row(value, row, items, longest)


def _row(value: Any, row: int, items: Sequence[Mapping[str, Any]], longest: int | None) -> Any:
    import torch

    if value is None:
        return None
    if isinstance(value, torch.Tensor):
        if value.ndim == 0 or value.shape[0] != len(items):
            raise NotRows("The model's outputs cannot be told apart by request. Set batch_size=1.")
        part = value[row : row + 1]
        if value.ndim >= 3 and longest is not None and value.shape[1] == longest:
            part = part[:, : _length(items[row])]  # one vector for each token: without those of the padding
        return part
    if isinstance(value, Mapping):
        made: Any = type(value)
        return made({name: _row(part, row, items, longest) for name, part in value.items()})
    if isinstance(value, tuple | list) and value and isinstance(value[0], torch.Tensor | Mapping | tuple | list):
        return type(value)(_row(part, row, items, longest) for part in value)
    raise NotRows(f"The model's outputs hold a {type(value).__name__}, which is no row. Set batch_size=1.")
