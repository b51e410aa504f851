"""A small CLIP that learns shapes and colours from captions, to see language find pictures without a download.

Its folder is what the folder of openai/clip-vit-base-patch32 is: the same classes read both.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.samples.shapes import COLOURS, SHAPES, SIZES, Scene, picture, scenes, words

_TOKENS = 16


@dataclass(frozen=True)
class Lesson:
    """What is learned, and how long."""

    shapes: Sequence[str] = SHAPES
    colours: Sequence[str] = tuple(COLOURS)
    steps: int = 1_500
    batch: int = 128
    edge: int = 48
    """Of the pictures that the model sees, in pixels."""
    patch: int = 48
    """The side of the pieces that the model takes a picture in; one piece learns a shape soonest."""
    width: int = 128
    layers: int = 2
    pictures: int = 6_000
    """Drawn before the training; each is seen several times."""
    rate: float = 1e-3
    seed: int = 0


def train(folder: Path, lesson: Lesson = Lesson(), log: Callable[[str], None] = lambda line: None) -> Path:
    """Train a model and save it in `folder`; the same lesson gives the same model on the same machine."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lesson.seed)
        draw = random.Random(lesson.seed)  # noqa: S311 - nothing here is secret
        tokenizer, processor = _tokenizer(lesson), _processor(lesson)
        model = _model(lesson, tokenizer)
        known = scenes(lesson.shapes, lesson.colours)
        drawn = [draw.choice(known) for _ in range(lesson.pictures)]
        seen = [picture(scene, draw, lesson.edge) for scene in drawn]
        pixels = processor(seen, return_tensors="pt")["pixel_values"]
        _fit(model, tokenizer, drawn, pixels, lesson, draw, log)
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)
    return folder


def _fit(
    model: Any,
    tokenizer: Any,
    drawn: Sequence[Scene],
    pixels: Any,
    lesson: Lesson,
    draw: random.Random,
    log: Callable[[str], None],
) -> None:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=lesson.rate, weight_decay=0.05)
    warm = max(1, lesson.steps // 20)

    def pace(step: int) -> float:
        return min(1.0, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * step / lesson.steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, pace)
    model.train()
    for step in range(lesson.steps):
        chosen = draw.sample(range(len(drawn)), min(lesson.batch, len(drawn)))
        captions = [words(drawn[number], draw) for number in chosen]
        inputs = tokenizer(captions, padding=True, return_tensors="pt")
        outcome = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            pixel_values=_moved(pixels[chosen], draw),
        )
        loss = _loss(outcome.logits_per_text, [drawn[number] for number in chosen], captions)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == lesson.steps - 1:
            log(f"step {step} of {lesson.steps}: loss {loss.item():.3f}")
    model.eval()


def _moved(pixels: Any, draw: random.Random) -> Any:
    """The pictures a little aside, and mirrored or not: so that the model learns shapes, and not these pictures."""
    reach = pixels.shape[-1] // 12
    moved = pixels.roll((draw.randint(-reach, reach), draw.randint(-reach, reach)), (2, 3))
    return moved.flip(3) if draw.random() < 0.5 else moved


def _loss(logits: Any, seen: Sequence[Scene], captions: Sequence[str]) -> Any:
    """CLIP's loss, where a caption that is true of several pictures may choose any of them."""
    import torch

    true = torch.tensor([[float(_is_true(caption, scene)) for scene in seen] for caption in captions])
    by_text = -(true / true.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    by_picture = -(true / true.sum(0, keepdim=True) * logits.log_softmax(0)).sum(0).mean()
    return (by_text + by_picture) / 2


def _is_true(caption: str, scene: Scene) -> bool:
    said, _, behind = caption.partition(" on ")
    named = set(said.split()[1:])
    if not named <= {scene.size, scene.colour, scene.shape}:
        return False
    return not behind or scene.background in behind.split()


def _model(lesson: Lesson, tokenizer: Any) -> Any:
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    shape = {
        "hidden_size": lesson.width,
        "intermediate_size": lesson.width * 2,
        "num_hidden_layers": lesson.layers,
        "num_attention_heads": 4,
        "projection_dim": 64,
    }
    text = CLIPTextConfig(
        **shape,
        vocab_size=len(tokenizer),
        max_position_embeddings=_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = CLIPVisionConfig(**shape, image_size=lesson.edge, patch_size=lesson.patch)
    return CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=64))


def _tokenizer(lesson: Lesson) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    listed = ["<pad>", "<unknown>", "<start>", "<end>", "a", "on", "background"]
    listed += [*SIZES, *lesson.colours, *lesson.shapes]
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(listed)}, unk_token="<unknown>"))  # noqa: S106
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 2), ("<end>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<start>",  # noqa: S106
        eos_token="<end>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        unk_token="<unknown>",  # noqa: S106
        model_max_length=_TOKENS,
    )


def _processor(lesson: Lesson) -> Any:
    from transformers import CLIPImageProcessorPil

    edge = lesson.edge
    return CLIPImageProcessorPil(size={"shortest_edge": edge}, crop_size={"height": edge, "width": edge})
