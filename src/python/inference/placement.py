"""Where and how a model runs, as the item's settings say: backend, device, number format, limits of a batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.batching import Limits
from inference.errors import OptionUnknown

BACKENDS = {
    "auto": "starts with torch, measures the others in the background, and keeps the fastest that agrees",
    "torch": "as the model was trained; the reference that the others are measured against",
    "torch-bf16": "torch with half as many bits; needs no package, is fast where the processor knows bf16",
    "openvino": "converted for Intel and AMD processors, in bf16 where the processor knows it",
    "openvino-int8": "the same in eight bits, calibrated on texts, refused if it does not agree",
}
"""What the setting `backend` may be, and what each is."""

OPTIONS = ("backend", "device", "dtype", "torch_dtype", "batch_size", "max_wait_ms", "calibration")
"""The options that are read here and not handed to the pipeline."""

_FORMATS = ("float32", "bfloat16", "float16", "float64", "auto")
_FITTING = {
    "torch-bf16": ("bfloat16",),
    "openvino": ("float32", "bfloat16"),
    "openvino-int8": ("float32", "bfloat16"),
}
_ROWS = 64
_TOKENS_CPU = 1024  # a core is busy long before; more only makes answers wait for each other
_TOKENS_GPU = 16_384
_OVERHEAD_GPU = 2048  # a GPU does this many tokens in about the time it takes to start it
_ROWS_GPU = 512


@dataclass(frozen=True)
class Placement:
    """`dtype` is '' for what suits the device; `device` is a torch device, `cpu` for every OpenVINO backend."""

    backend: str
    device: str
    dtype: str
    batch_size: int | None
    max_wait_s: float
    calibration: str

    def limits(self) -> Limits:
        """How large a batch may become: on a GPU by what keeps it busy, on a processor by what keeps padding small."""
        if self.device == "cpu":
            return Limits(_TOKENS_CPU, self.batch_size or _ROWS, wait_s=self.max_wait_s)
        return Limits(_TOKENS_GPU, self.batch_size or _ROWS_GPU, _OVERHEAD_GPU, wait_s=self.max_wait_s)


def read(options: Mapping[str, Any]) -> Placement:
    """The placement that the options of an item mean. Raises `OptionUnknown`; loads torch only for a GPU."""
    backend, dtype = str(options.get("backend") or "torch"), _dtype(options)
    if backend not in BACKENDS:
        raise OptionUnknown(f"There is no backend {backend!r}. Set backend to one of: {', '.join(BACKENDS)}.")
    if dtype and dtype not in _FITTING.get(backend, _FORMATS):
        raise OptionUnknown(
            f"The backend {backend} does not compute in {dtype}. Set dtype to {' or '.join(_FITTING[backend])}, leave "
            "it out, or set backend=torch."
        )
    if (backend == "auto" and dtype) or options.get("device_map") is not None:
        backend = "torch"
    device = _device(options, backend)
    return Placement(
        backend=backend if device == "cpu" or backend != "auto" else "torch",
        device=device,
        dtype=dtype or ("bfloat16" if backend == "torch-bf16" else ""),
        batch_size=_whole("batch_size", options.get("batch_size")),
        max_wait_s=_milliseconds(options.get("max_wait_ms")) / 1000,
        calibration=str(options.get("calibration") or ""),
    )


def _dtype(options: Mapping[str, Any]) -> str:
    name = str(options.get("dtype") or options.get("torch_dtype") or "").removeprefix("torch.")
    if name and name not in _FORMATS:
        raise OptionUnknown(f"dtype={name!r} is no number format. Set dtype to float32, bfloat16, float16 or auto.")
    return name


def _device(options: Mapping[str, Any], backend: str) -> str:
    given = options.get("device")
    name = "auto" if given in (None, "") else str(given)
    if name == "cpu" or name == "-1" or (name == "auto" and backend.startswith("openvino")):
        return "cpu"
    if backend.startswith("openvino"):
        raise OptionUnknown(f"The backend {backend} runs on the processor, not on {name}. Remove device or backend.")
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(f"cuda:{name}" if name.isdigit() else name)
    except RuntimeError as error:
        raise OptionUnknown(f"device={name!r} is no device. Set device to auto, cpu or cuda:0.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise OptionUnknown(
            f"device={name} is not there: this machine has {torch.cuda.device_count()} GPUs that torch can use. Set "
            "device=auto, which takes a GPU if there is one."
        )
    return f"{device.type}:{device.index or 0}" if device.type == "cuda" else str(device)


def _whole(name: str, value: Any) -> int | None:
    if value in (None, ""):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4096:
        return value
    raise OptionUnknown(f"{name}={value!r} is no whole number from 1 to 4096. Correct it in the item's settings.")


def _milliseconds(value: Any) -> float:
    if value in (None, ""):
        return 0.0
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 10_000:
        return float(value)
    raise OptionUnknown(f"max_wait_ms={value!r} is no number from 0 to 10000. Correct it in the item's settings.")
