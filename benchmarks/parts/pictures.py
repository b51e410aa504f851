"""How much of an image task is not the model: reading, resizing, boxes, drawing, PNG; and how much is the forward.

The models have the shapes of ViT-B/16 and DETR-ResNet-50 and weights drawn at random, which take as long as trained
ones. The detector answers with as many boxes as it can: no picture costs more after the forward.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from parts.paths import PROJECT

PICTURE = PROJECT / "misc" / "000000039769.jpg"


def shares(times: int, quick: bool) -> dict[str, dict[str, float]]:
    """For each model the median time of a request in ms, that of its forward, and the share that is not forward."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    result = {}
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        for name, (task, build, fields) in _MODELS.items():
            torch.manual_seed(0)
            for part in build(quick):
                part.save_pretrained(Path(folder) / name)
            result[name] = _share(Path(folder), name, task, fields, times)
    return result


def _share(root: Path, name: str, task: str, fields: dict[str, Any], times: int) -> dict[str, float]:
    import inference.pipeline

    model = inference.pipeline.open(name, task, path=str(root), options={"backend": "torch"})
    network = model._loaded.pipeline.model  # what is timed inside a request
    forward, took_s = network.forward, [0.0]

    def timed(*arguments: Any, **named: Any) -> Any:
        began_s = time.perf_counter()
        try:
            return forward(*arguments, **named)
        finally:
            took_s[0] += time.perf_counter() - began_s

    network.forward = timed
    whole_ms, forward_ms = [], []
    for number in range(times + 1):  # the first is not counted
        took_s[0], began_s = 0.0, time.perf_counter()
        inference.pipeline.run(model, {"inputs": str(PICTURE), **fields})
        if number:
            whole_ms.append((time.perf_counter() - began_s) * 1000)
            forward_ms.append(took_s[0] * 1000)
    inference.pipeline.close(model)
    inference.pipeline.unload(model)
    around = median(1 - part / whole for part, whole in zip(forward_ms, whole_ms, strict=True))
    return {"ms": median(whole_ms), "forward_ms": median(forward_ms), "share_around": around}


def _vit(quick: bool) -> tuple[Any, ...]:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    config = ViTConfig(num_hidden_layers=2 if quick else 12, num_labels=1000)
    return ViTForImageClassification(config), ViTImageProcessorPil()


def _detr(quick: bool) -> tuple[Any, ...]:
    from transformers import DetrConfig, DetrForObjectDetection, DetrImageProcessorPil, ResNetConfig

    backbone = ResNetConfig(out_features=["stage4"], depths=[1, 1, 1, 1] if quick else [3, 4, 6, 3])
    config = DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone, num_labels=91
    )
    return DetrForObjectDetection(config), DetrImageProcessorPil()


_Build = Callable[[bool], tuple[Any, ...]]
_MODELS: dict[str, tuple[str, _Build, dict[str, Any]]] = {
    "vit-base-patch16-224": ("image-classification", _vit, {}),
    "detr-resnet-50": ("object-detection", _detr, {"threshold": 0.0}),
}
