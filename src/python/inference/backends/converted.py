"""OpenVINO in the place of a torch model: converted once, loaded in a moment, any length and number of rows."""

import functools
import logging
import math
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import libraries

TASKS = frozenset(
    {
        *("text-classification", "token-classification", "zero-shot-classification", "fill-mask"),
        *("feature-extraction", "image-classification", "image-feature-extraction"),
        "zero-shot-image-classification",
    }
)
"""The tasks whose models can be converted: one pass from inputs to outputs."""

# Kernels are made for a shape when it is first seen, so texts are padded to one of few lengths.
_STEP = 16
_GROUP = 384  # so many numbers share a scale at most when a matrix is multiplied in eight bits as it comes
_GROUPS_OF = 32  # what the processor takes at once


class Compiled:
    """A compiled model, from arrays to arrays. One inference at a time."""

    def __init__(self, folder: Path, about: Mapping[str, Any], dtype: str, threads: int) -> None:
        """Raises RuntimeError or OSError if what lies in the folder cannot be compiled."""
        self.inputs, self.outputs = list(about["inputs"]), list(about["outputs"])
        self._pads, self._limit = dict(about["pads"]), int(about["limit"])
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            **about.get("settings", {}),
        }
        if dtype:  # else what the processor is good at
            settings["INFERENCE_PRECISION_HINT"] = {"float32": "f32", "bfloat16": "bf16"}[dtype]
        self._request = _core().compile_model(str(folder / "model.xml"), "CPU", settings).create_infer_request()
        self._busy = threading.Lock()

    def infer(self, given: Mapping[str, Any]) -> list[Any]:
        """The outputs in their order, for an array of each of `inputs` by its name."""
        length, padded = self._lengths(given)
        arrays = [self._longer(name, given[name], padded - length) for name in self.inputs]
        with self._busy:
            found = self._request.infer(arrays, share_inputs=True)
            made = [found[place].copy() for place in range(len(self.outputs))]
        if padded > length:
            made = [one[:, :length] if one.ndim >= 3 and one.shape[1] == padded else one for one in made]
        return made

    def _lengths(self, given: Mapping[str, Any]) -> tuple[int, int]:
        ids = given.get("input_ids")
        if ids is None or "attention_mask" not in given:
            return 0, 0
        length = int(ids.shape[1])
        return length, max(length, min(self._limit, -(-length // _STEP) * _STEP))

    def _longer(self, name: str, array: Any, more: int) -> Any:
        if not more:
            return array
        import numpy as np

        longer = np.full((*array.shape[:-1], array.shape[-1] + more), self._pads.get(name, 0), array.dtype)
        longer[..., : array.shape[-1]] = array
        return longer


class Converted:
    """A compiled model that a pipeline takes for its torch model."""

    dtype: Any
    device: Any

    def __init__(self, folder: Path, about: Mapping[str, Any], config: Any, dtype: str) -> None:
        """Raises RuntimeError or OSError if what lies in the folder cannot be compiled."""
        import torch

        self.config, self.dtype, self.device = config, torch.float32, torch.device("cpu")
        self._compiled = Compiled(folder, about, dtype, torch.get_num_threads())

    def __call__(self, **inputs: Any) -> Any:
        """The outputs as tensors by name. Raises ValueError if the model was converted for other inputs."""
        import torch
        from transformers.utils import ModelOutput

        given = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
        if set(given) != set(self._compiled.inputs):
            raise ValueError(
                f"the converted model takes {', '.join(self._compiled.inputs)}, not {', '.join(given)}; set "
                "backend=torch for requests with other inputs"
            )
        found = self._compiled.infer({name: _array(value) for name, value in given.items()})
        return ModelOutput(zip(self._compiled.outputs, map(torch.from_numpy, found), strict=True))

    def forward(self, **inputs: Any) -> Any:
        """As a call."""
        return self(**inputs)


def _array(tensor: Any) -> Any:
    return (tensor.float() if tensor.is_floating_point() else tensor).contiguous().numpy()


@functools.cache
def _openvino() -> Any:
    """The package, without the part by which it and nncf report to their maker that they are used."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    with libraries.lock:
        import openvino

    return openvino


@functools.cache
def _core() -> Any:
    return _openvino().Core()


def convert(model: Any, example: Mapping[str, Any], pads: Mapping[str, int], limit: int) -> tuple[Any, dict[str, Any]]:
    """The OpenVINO form of a torch model, and what `Converted` must know of it.

    `example` is a padded batch; its names become the inputs. `limit` is the longest text that the model reads.
    Tracing must not meet a forward of the same model in another thread: give a copy of your own.
    """
    import torch

    openvino = _openvino()
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # what they warn of is judged by the outputs
    names = list(example)
    with torch.no_grad():
        outputs = [name for name, value in model(**example).items() if isinstance(value, torch.Tensor)]
        converted = openvino.convert_model(_tuple_of(model, names, outputs), example_input=tuple(example.values()))
    for port, name in zip(converted.inputs, names, strict=True):
        port.get_tensor().set_names({name})
        if name == "pixel_values":
            shape = list(example[name].shape)
            converted.reshape({port: openvino.PartialShape([-1, *shape[1:]])})
    return converted, {"inputs": names, "outputs": outputs, "pads": dict(pads), "limit": limit}


def _tuple_of(model: Any, names: Sequence[str], outputs: Sequence[str]) -> Any:
    """A module that takes the tensors in the order of `names` and gives those of `outputs` as a tuple."""
    import torch

    class Tuple(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> Any:
            found = self.model(**dict(zip(names, tensors, strict=True)))
            return tuple(found[name] for name in outputs)

    return Tuple().eval()


def read(folder: Path) -> Any:
    """The OpenVINO form of a model that was saved."""
    return _core().read_model(str(folder / "model.xml"))


def compress(converted: Any) -> tuple[Any, dict[str, str]]:
    """The model with weights in eight bits, and the settings with which to compile it: what is multiplied with them is
    brought to eight bits as it comes, by groups of numbers with a scale of their own. Nothing is calibrated."""
    nncf = _nncf()
    common = math.gcd(*(inputs for _, inputs, _ in _matrices(converted)))
    fitting = [size for size in range(_GROUPS_OF, _GROUP + 1, _GROUPS_OF) if common % size == 0]
    group = max(fitting, default=_GROUPS_OF)
    with _silent_bars():
        compressed = nncf.compress_weights(converted, mode=nncf.CompressWeightsMode.INT8_SYM)
    return compressed, {"DYNAMIC_QUANTIZATION_GROUP_SIZE": str(group), "INFERENCE_PRECISION_HINT": "f32"}


def quantize(converted: Any, calibrating: Sequence[Mapping[str, Any]], *, careful: bool) -> Any:
    """The model in eight bits throughout, its ranges taken from what these inputs make of it.

    `careful` leaves the layers as they are that make many numbers into few: the heads, and the second half of every
    feed-forward, where single large numbers drown the others in eight bits.
    """
    nncf = _nncf()

    def arrays(inputs: Mapping[str, Any]) -> list[Any]:
        return [value.numpy() for value in inputs.values()]

    narrowing = [name for name, inputs, outputs in _matrices(converted) if inputs > outputs]
    with _silent_bars():
        return nncf.quantize(
            converted,
            nncf.Dataset(list(calibrating), arrays),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(calibrating),
            ignored_scope=nncf.IgnoredScope(names=narrowing if careful else []),
        )


def _nncf() -> Any:
    _openvino()
    with libraries.lock:
        import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf


@contextmanager
def _silent_bars() -> Iterator[None]:
    """nncf's bars of progress would be drawn over the server's output."""
    import rich

    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before


def _matrices(converted: Any) -> Iterator[tuple[str, int, int]]:
    """The name, inputs and outputs of each product with a constant matrix."""
    for operation in converted.get_ops():
        if operation.get_type_name() == "MatMul":
            matrix = operation.input_value(1).get_partial_shape()
            if matrix.is_static and len(matrix) == 2:
                outputs, inputs = (int(length) for length in matrix.to_shape())
                if not operation.get_attributes()["transpose_b"]:
                    outputs, inputs = inputs, outputs
                yield operation.get_friendly_name(), inputs, outputs


def save(converted: Any, folder: Path) -> None:
    """Write the model's files, in the precision it has."""
    _openvino().save_model(converted, folder / "model.xml", compress_to_fp16=False)
