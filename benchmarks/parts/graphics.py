"""The same work on a GPU: texts a second through the product and with the pipeline, and shares of the chip's peak."""

import time
from collections.abc import Callable
from typing import Any

from parts.reviews import Work

_BATCHES = (32, 128, 512)  # of the pipeline; its best is taken
_SIDE, _MULTIPLICATIONS = 8192, 50


def measure(work: Work) -> dict[str, Any]:
    """Texts a second of the product and of the pipeline in bf16, and what of the chip's speed that is; or why not.

    The peak is measured: the fastest multiplication of large matrices in bf16. A forward counts two operations for
    each weight of the encoder and each token, and those of attention; padding does not count.
    """
    import torch

    if not torch.cuda.is_available():
        return {"measured": False, "why": "torch sees no GPU on this machine"}
    import inference.pipeline

    model = inference.pipeline.open(work.folder().name, "text-classification", options={"device": "cuda:0"})
    product_s = _fastest(lambda: inference.pipeline.run(model, {"inputs": work.texts}))
    pipelines = {size: _fastest(_pipeline(work, size)) for size in _BATCHES}
    best = min(pipelines, key=pipelines.__getitem__)
    operations, peak = _operations(model._loaded.pipeline, work.texts), _peak()
    count = len(work.texts)
    return {
        "measured": True, "device": torch.cuda.get_device_name(), "peak_flops": peak,
        "product_per_s": count / product_s, "product_share_of_peak": operations / product_s / peak,
        "pipeline_per_s": count / pipelines[best], "pipeline_batch": best,
        "pipeline_share_of_peak": operations / pipelines[best] / peak, "ratio": pipelines[best] / product_s,
    }  # fmt: skip


def _pipeline(work: Work, size: int) -> Callable[[], Any]:
    import transformers

    pipeline = transformers.pipeline(
        "text-classification", str(work.folder()), dtype="bfloat16", device="cuda:0", batch_size=size
    )
    return lambda: pipeline(work.texts, truncation=True)


def _fastest(work: Callable[[], Any]) -> float:
    """The least time of five, in seconds, after one that is not counted."""
    import torch

    times_s = []
    for _ in range(6):
        began_s = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times_s.append(time.perf_counter() - began_s)
    return min(times_s[1:])


def _operations(pipeline: Any, texts: list[str]) -> float:
    """The multiplications and additions that the texts need, in one forward each."""
    lengths = [len(ids) for ids in pipeline.tokenizer(texts, truncation=True)["input_ids"]]
    weights = sum(weight.numel() for weight in pipeline.model.base_model.encoder.parameters())
    config = pipeline.model.config
    attention = 4 * config.num_hidden_layers * config.hidden_size
    return float(sum(2 * weights * length + attention * length * length for length in lengths))


def _peak() -> float:
    """Operations a second in bf16 of this GPU, multiplying matrices."""
    import torch

    one = torch.randn(_SIDE, _SIDE, device="cuda", dtype=torch.bfloat16)
    torch.mm(one, one)
    torch.cuda.synchronize()
    began_s = time.perf_counter()
    for _ in range(_MULTIPLICATIONS):
        torch.mm(one, one)
    torch.cuda.synchronize()
    return 2 * _SIDE**3 * _MULTIPLICATIONS / (time.perf_counter() - began_s)
