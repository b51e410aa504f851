"""The energy counter of an NVIDIA GPU, through nvidia-ml-py."""

import math
import os
import sys
from typing import Any


class Board:
    """One GPU. Its counter is that of the whole board, so of all processes that use it."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle

    def joules(self) -> float:
        """Spent since the driver was loaded; NaN if it cannot be read. Grows in steps of some ten milliseconds."""
        return self._read("nvmlDeviceGetTotalEnergyConsumption")

    def watts(self) -> float:
        """The power that the board draws now, averaged by itself over up to a second; NaN if it cannot be read."""
        return self._read("nvmlDeviceGetPowerUsage")

    def _read(self, function: str) -> float:
        try:
            return int(getattr(self._nvml, function)(self._handle)) / 1000
        except self._nvml.NVMLError:
            return math.nan


def find(device: str) -> Board | None:
    """The board that a torch device (`cuda:0`) is; None without nvidia-ml-py, driver, or a counter on this board."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        name = _identity(device)
        by_index, by_uuid = pynvml.nvmlDeviceGetHandleByIndex, pynvml.nvmlDeviceGetHandleByUUID
        handle = by_index(int(name)) if name.isdigit() else by_uuid(name)
    except pynvml.NVMLError:
        return None
    board = Board(pynvml, handle)
    return None if math.isnan(board.joules()) else board


def in_use() -> bool:
    """Whether this process has begun to use a GPU."""
    return _cuda() is not None


def _cuda() -> Any:
    """What torch has for GPUs, if it uses one. Another thread may be loading torch: half of it uses none."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    begun = getattr(cuda, "is_initialized", None)
    return cuda if begun is not None and begun() else None


def _identity(device: str) -> str:
    """The board's UUID or number. torch counts the GPUs it may see, NVML all there are: only the UUID is the same."""
    number = device.partition(":")[2]
    index = int(number) if number.isdigit() else 0
    cuda = _cuda()
    uuid = getattr(cuda.get_device_properties(index), "uuid", None) if cuda is not None else None
    if uuid:
        return f"GPU-{uuid}"
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    return visible[index] if index < len(visible) and visible[index] else str(index)
