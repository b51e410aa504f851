"""Of many masks of the same thing the best one: what mask-generation needs torchvision for, where there is none."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def provide(image_processor: Any) -> None:
    """Let `image_processor` (that of a SAM) thin out its masks without torchvision, if that is not installed."""
    from transformers.utils import is_torchvision_available

    if not is_torchvision_available() and hasattr(image_processor, "post_process_for_mask_generation"):
        image_processor.post_process_for_mask_generation = _thinned


def best(boxes: "torch.Tensor", scores: "torch.Tensor", most_shared: float) -> list[int]:
    """The rows of `boxes` (n, 4: left, top, right, bottom) to keep, best score first.

    Greedy: a box is dropped if it shares more than `most_shared` of its union with one that was kept.
    """
    import torch

    order = scores.argsort(descending=True, stable=True)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(int(first))
        corner = torch.maximum(boxes[first, :2], boxes[rest, :2])
        opposite = torch.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = (opposite - corner).clamp(min=0).prod(dim=1)
        union = areas[first] + areas[rest] - shared
        order = rest[~(shared > most_shared * union)]
    return kept


def _thinned(coded: list[Any], scores: "torch.Tensor", boxes: "torch.Tensor", crops_nms_thresh: float) -> Any:
    """What `SamImageProcessor.post_process_for_mask_generation` answers: masks, scores, coded masks, boxes."""
    from transformers.models.sam.image_processing_pil_sam import _rle_to_mask

    kept = best(boxes.float(), scores, crops_nms_thresh)
    chosen = [coded[row] for row in kept]
    return [_rle_to_mask(one) for one in chosen], scores[kept], chosen, boxes[kept]
