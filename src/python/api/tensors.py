"""Tensors of the Open Inference Protocol: their JSON and their binary form, to and from NumPy arrays.

A tensor in JSON has `name`, `shape`, `datatype` and `data`, nested or flat. With the binary extension its data stands
behind the JSON instead, `parameters.binary_data_size` bytes long, little-endian; each element of BYTES begins with its
length in four bytes.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from api.errors import BadRequest

if TYPE_CHECKING:
    import numpy as np

_NUMPY = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
DATATYPES = (*_NUMPY, "BYTES")
_LARGEST = 10_000_000  # elements


@dataclass(frozen=True)
class Tensor:
    """A tensor. The elements of BYTES are Python's bytes."""

    name: str
    datatype: str
    array: "np.ndarray[Any, Any]"

    @property
    def shape(self) -> list[int]:
        """The lengths of its dimensions."""
        return list(self.array.shape)


def read(described: Any, binary: bytes, start: int) -> tuple[Tensor, int]:
    """A tensor as a request describes it, and where the next one's binary data begins. Raises `BadRequest`."""
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        raise BadRequest(
            'An input has no name: write it as in {"name": "text", "shape": [1], "datatype": "BYTES", ...}.'
        )
    name, datatype, shape = described["name"], described.get("datatype"), described.get("shape")
    if datatype not in DATATYPES:
        raise BadRequest(f"The input {name!r} has the datatype {datatype!r}: use one of {', '.join(DATATYPES)}.")
    if (
        not isinstance(shape, list)
        or not all(type(size) is int and size >= 0 for size in shape)
        or prod(shape) > _LARGEST
    ):
        raise BadRequest(
            f"The input {name!r} has no shape that can be: write it as in [1], with at most {_LARGEST:,} elements."
        )
    size = (
        (described.get("parameters") or {}).get("binary_data_size")
        if isinstance(described.get("parameters") or {}, dict)
        else None
    )
    if size is None:
        return Tensor(name, datatype, _from_json(name, datatype, shape, described.get("data"))), start
    if type(size) is not int or not 0 <= size <= len(binary) - start:
        raise BadRequest(
            f"The input {name!r} says it has {size!r} bytes, and {len(binary) - start} are there: correct it."
        )
    return Tensor(name, datatype, _from_binary(name, datatype, shape, binary[start : start + size])), start + size


def as_json(tensor: Tensor) -> dict[str, Any]:
    """A tensor with its data in JSON. Bytes that are no UTF-8 cannot be in it: ask for binary data."""
    data = tensor.array.reshape(-1).tolist()
    if tensor.datatype == "BYTES":
        data = [one.decode("utf-8", "replace") for one in data]
    return {**_head(tensor), "data": data}


def as_binary(tensor: Tensor) -> tuple[dict[str, Any], bytes]:
    """A tensor's description, and the data that stands behind the JSON."""
    if tensor.datatype == "BYTES":
        data = b"".join(struct.pack("<I", len(one)) + one for one in tensor.array.reshape(-1).tolist())
    else:
        data = tensor.array.astype(_NUMPY[tensor.datatype]).tobytes()
    return {**_head(tensor), "parameters": {"binary_data_size": len(data)}}, data


def of(name: str, values: Sequence[Any]) -> Tensor | None:
    """The tensor of nested lists of texts, of numbers or of truths; None where they are of no one kind or shape."""
    import numpy as np

    flat, shape = _flattened(values)
    if shape is None or not flat:
        return None
    kinds = {type(one) for one in flat}
    if kinds == {str}:
        array = np.empty(len(flat), dtype=object)
        array[:] = [one.encode() for one in flat]
        return Tensor(name, "BYTES", array.reshape(shape))
    for allowed, datatype in (({bool}, "BOOL"), ({int}, "INT64"), ({int, float}, "FP32")):
        if kinds <= allowed:
            try:
                return Tensor(name, datatype, np.array(flat, dtype=_NUMPY[datatype]).reshape(shape))
            except OverflowError:
                return None
    return None


def _head(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype}


def _from_json(name: str, datatype: str, shape: list[int], data: Any) -> "np.ndarray[Any, Any]":
    import numpy as np

    if not isinstance(data, list):
        raise BadRequest(f"The input {name!r} has no data: give a list, or binary data with its size.")
    flat = _flat(data)
    if len(flat) != prod(shape):
        raise BadRequest(f"The input {name!r} has {len(flat)} elements, and its shape {shape} says {prod(shape)}.")
    if datatype == "BYTES":
        if not all(isinstance(one, str) for one in flat):
            raise BadRequest(f"The input {name!r} is BYTES, so that its data in JSON must be texts.")
        return _bytes([one.encode("utf-8", "replace") for one in flat]).reshape(shape)
    kinds = {"BOOL": (bool,), "FP16": (int, float), "FP32": (int, float), "FP64": (int, float)}.get(datatype, (int,))
    if not all(type(one) in kinds for one in flat):
        raise BadRequest(f"The input {name!r} is {datatype}, and not all of its data is: correct one of them.")
    try:
        return np.array(flat, dtype=_NUMPY[datatype]).reshape(shape)
    except OverflowError as error:
        raise BadRequest(
            f"The input {name!r} has a number that is too large for {datatype}: use a wider one."
        ) from error


def _from_binary(name: str, datatype: str, shape: list[int], data: bytes) -> "np.ndarray[Any, Any]":
    import numpy as np

    if datatype != "BYTES":
        width = np.dtype(_NUMPY[datatype]).itemsize
        if len(data) != width * prod(shape):
            raise BadRequest(f"The input {name!r} has {len(data)} bytes, and its shape takes {width * prod(shape)}.")
        return np.frombuffer(data, dtype=_NUMPY[datatype]).reshape(shape)
    found, start = [], 0
    while start + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, start)
        found.append(data[start + 4 : start + 4 + length])
        start += 4 + length
    if start != len(data) or len(found) != prod(shape):
        raise BadRequest(
            f"The input {name!r} holds {len(found)} whole texts, and its shape {shape} says {prod(shape)}."
        )
    return _bytes(found).reshape(shape)


def _bytes(values: list[bytes]) -> "np.ndarray[Any, Any]":
    import numpy as np

    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _flat(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    waiting = [iter(values)]
    while waiting:
        for one in waiting[-1]:
            if isinstance(one, list):
                waiting.append(iter(one))
                break
            found.append(one)
        else:
            waiting.pop()
    return found


def _flattened(values: Sequence[Any]) -> tuple[list[Any], list[int] | None]:
    """The elements of nested lists, and their shape; no shape where the lists are of different lengths."""
    level, shape = list(values), [len(values)]
    while level and all(isinstance(one, list) for one in level):
        lengths = {len(one) for one in level}
        if len(lengths) != 1:
            return [], None
        shape.append(lengths.pop())
        level = [inner for one in level for inner in one]
    return level, None if any(isinstance(one, list) for one in level) else shape
