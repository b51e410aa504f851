"""What this machine computes fast: asked where a feature chooses a number format by itself."""

import functools
import time
from typing import Any


@functools.cache
def has_fast_bf16(device: str = "") -> bool:
    """Whether a device computes in bfloat16 faster than in float32; on a CPU a few products are timed.

    `device` is torch's name of one, such as `cpu` or `cuda:0`; without it, the one that a training takes.
    """
    import torch

    kind = device.partition(":")[0]
    if not kind and torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator().type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind not in ("", "cpu"):
        return False
    has = torch.cpu.get_capabilities()
    if not any(has.get(unit) for unit in ("amx_bf16", "avx512_bf16", "sve_bf16")):
        return False
    return _product_s(torch.bfloat16) * 1.2 < _product_s(torch.float32)


def _product_s(dtype: Any) -> float:
    """The processor time of a product as large as those of a small model."""
    import torch

    left, right = torch.ones(512, 384, dtype=dtype), torch.ones(384, 768, dtype=dtype)
    times = []
    for _ in range(4):
        began_s = time.thread_time()
        torch.mm(left, right)
        times.append(time.thread_time() - began_s)
    return min(times)
