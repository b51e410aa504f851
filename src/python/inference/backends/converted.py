"""OpenVINO in the place of a torch model: converted once, loaded in a moment, any length and number of rows."""

import functools
import logging
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TASKS = frozenset(
    {
        *("text-classification", "token-classification", "zero-shot-classification", "fill-mask"),
        *("feature-extraction", "image-classification", "image-feature-extraction"),
    }
)
"""The tasks whose models can be converted: one pass from inputs to outputs."""

# Kernels are made for a shape when it is first seen, so texts are padded to one of few lengths.
_STEP = 16


class Converted:
    """A compiled model that a pipeline takes for its torch model. One inference at a time."""

    dtype: Any
    device: Any

    def __init__(self, folder: Path, about: Mapping[str, Any], config: Any, dtype: str) -> None:
        """Raises RuntimeError or OSError if what lies in the folder cannot be compiled."""
        import torch

        self.config, self.dtype, self.device = config, torch.float32, torch.device("cpu")
        self._inputs, self._outputs = list(about["inputs"]), list(about["outputs"])
        self._pads, self._limit = dict(about["pads"]), int(about["limit"])
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        if dtype:  # else what the processor is good at
            settings["INFERENCE_PRECISION_HINT"] = {"float32": "f32", "bfloat16": "bf16"}[dtype]
        self._request = _core().compile_model(str(folder / "model.xml"), "CPU", settings).create_infer_request()
        self._busy = threading.Lock()

    def __call__(self, **inputs: Any) -> Any:
        """The outputs as tensors by name. Raises ValueError if the model was converted for other inputs."""
        import torch
        from transformers.utils import ModelOutput

        given = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
        if set(given) != set(self._inputs):
            raise ValueError(
                f"the converted model takes {', '.join(self._inputs)}, not {', '.join(given)}; set backend=torch for "
                "requests with other inputs"
            )
        length, padded = self._lengths(given)
        arrays = [self._array(name, given[name], padded - length) for name in self._inputs]
        with self._busy:
            found = self._request.infer(arrays, share_inputs=True)
            tensors = [torch.from_numpy(found[place].copy()) for place in range(len(self._outputs))]
        if padded > length:
            tensors = [one[:, :length] if one.ndim >= 3 and one.shape[1] == padded else one for one in tensors]
        return ModelOutput(zip(self._outputs, tensors, strict=True))

    def forward(self, **inputs: Any) -> Any:
        """As a call."""
        return self(**inputs)

    def _lengths(self, given: Mapping[str, Any]) -> tuple[int, int]:
        ids = given.get("input_ids")
        if ids is None or "attention_mask" not in given:
            return 0, 0
        length = int(ids.shape[1])
        return length, max(length, min(self._limit, -(-length // _STEP) * _STEP))

    def _array(self, name: str, value: Any, more: int) -> Any:
        import torch

        if value.is_floating_point():
            value = value.float()
        if more:
            value = torch.nn.functional.pad(value, (0, more), value=self._pads.get(name, 0))
        return value.contiguous().numpy()


@functools.cache
def _openvino() -> Any:
    """The package, without the part by which it and nncf report to their maker that they are used."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
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


def quantize(converted: Any, calibrating: Sequence[Mapping[str, Any]], *, careful: bool) -> Any:
    """The model in eight bits, its ranges taken from what these inputs make of it.

    `careful` leaves the layers as they are that make many numbers into few: the heads, and the second half of every
    feed-forward, where single large numbers drown the others in eight bits.
    """
    _openvino()
    import nncf
    import rich

    nncf.set_log_level(logging.ERROR)
    console = rich.get_console()

    def arrays(inputs: Mapping[str, Any]) -> list[Any]:
        return [value.numpy() for value in inputs.values()]

    before, console.quiet = console.quiet, True  # its bars of progress would be drawn over the server's output
    try:
        return nncf.quantize(
            converted,
            nncf.Dataset(list(calibrating), arrays),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(calibrating),
            ignored_scope=nncf.IgnoredScope(names=_narrowing(converted) if careful else []),
        )
    finally:
        console.quiet = before


def _narrowing(converted: Any) -> list[str]:
    """The names of the products with a constant matrix that has more inputs than outputs."""
    names = []
    for operation in converted.get_ops():
        if operation.get_type_name() == "MatMul":
            matrix = operation.input_value(1).get_partial_shape()
            if matrix.is_static and len(matrix) == 2:
                outputs, inputs = (int(length) for length in matrix.to_shape())
                if not operation.get_attributes()["transpose_b"]:
                    outputs, inputs = inputs, outputs
                if inputs > outputs:
                    names.append(operation.get_friendly_name())
    return names


def save(converted: Any, folder: Path) -> None:
    """Write the model's files, in the precision it has."""
    _openvino().save_model(converted, folder / "model.xml", compress_to_fp16=False)
