"""Tiny models built in code: the architectures and the folder layout of the hub's models, a few kilobytes each."""

import json
import re
import string
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

LINES = (
    "George Washington lived in Washington.",
    "George Washington lived in Virginia with his family.",
    "Unfortunately, the outcome was not what we hoped for.",
    "This was a really bad experience, we will never come back.",
    "This was a really good experience, the food was great and the people were kind.",
    "The room was clean, the price was fair, and we would stay there again.",
    "It was fine, nothing special, neither good nor bad.",
    "Can you please let us know more details about your offer?",
)

# What the tagger knows by heart: every word of this sentence and its label.
TAGGED = (("George", "I-PER"), ("Washington", "I-PER"), ("lived", "O"), ("in", "O"), ("washington", "I-LOC"))

# What the detectors find in `PICTURE`: COCO's label and number, and the box (centre x, centre y, width, height)
# in shares of the picture.
PICTURE = Path(__file__).resolve().parents[1] / "misc" / "000000039769.jpg"
SEEN = (
    ("cat", 17, (0.270, 0.624, 0.473, 0.512)),
    ("cat", 17, (0.730, 0.598, 0.508, 0.522)),
    ("remote", 75, (0.200, 0.219, 0.219, 0.138)),
    ("remote", 75, (0.562, 0.279, 0.086, 0.213)),
    ("couch", 63, (0.500, 0.500, 0.996, 0.996)),
)

_HIDDEN = 32
_POSITIONS = 512
_GPT2_POSITIONS = 128  # few, so that tests reach its limit soon
_NER_LABELS = ("O", "I-LOC", "I-PER", "I-MISC", "I-ORG")
_COCO_LABELS = 91
_LETTERS = [letter for letter in string.printable if not letter.isspace()]


def build(kind: str, folder: Path, seed: int = 0) -> Path:
    """Write the model `kind` into `folder` (made if missing) and return it; the same seed gives the same weights.

    Kinds: `gpt2`, `camembert-ner`, `bert-base-uncased` (fills masks), `bert-base-cased` (no classification
    head), `bert-classifier` (five labels), `detr-resnet-50`, `detr-resnet-50-panoptic`, and those of `tiny_media`.
    """
    import torch
    from transformers.utils import logging

    import tiny_media

    kinds = KINDS | tiny_media.KINDS
    if kind not in kinds:
        raise KeyError(f"No tiny model is called {kind!r}; there are {', '.join(kinds)}.")
    folder.mkdir(parents=True, exist_ok=True)
    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in kinds[kind]():
            part.save_pretrained(folder)
    return folder


def _gpt2() -> tuple[Any, ...]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
    )
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.train_from_iterator(LINES, trainer)
    parts = json.loads(trained.to_str())["model"]
    merges = [tuple(pair) for pair in parts["merges"]]
    tokenizer = GPT2Tokenizer(vocab=parts["vocab"], merges=merges, model_max_length=_GPT2_POSITIONS)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=_HIDDEN,
        n_layer=2,
        n_head=2,
        n_positions=_GPT2_POSITIONS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return GPT2LMHeadModel(config), tokenizer


def _camembert_ner() -> tuple[Any, ...]:
    from transformers import CamembertConfig, CamembertForTokenClassification, CamembertTokenizer

    specials = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>")
    pieces = [*((f"▁{word}", -3.0) for word in _words(LINES)), *((letter, -9.0) for letter in ("▁", *_LETTERS))]
    tokenizer = CamembertTokenizer(
        vocab=[*((special, 0.0) for special in specials), *pieces, ("<mask>", 0.0)], model_max_length=_POSITIONS
    )
    config = CamembertConfig(
        **_encoder_sizes(tokenizer, _POSITIONS + 2),
        type_vocab_size=1,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        id2label=dict(enumerate(_NER_LABELS)),
        label2id={label: number for number, label in enumerate(_NER_LABELS)},
    )
    model = CamembertForTokenClassification(config)
    _teach_tags(model, tokenizer)
    return model, tokenizer


def _bert(architecture: str, *, lower: bool, **settings: Any) -> tuple[Any, ...]:
    import transformers

    words = _words([line.lower() for line in LINES] if lower else LINES)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *words]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = transformers.BertTokenizer(vocab=vocabulary, do_lower_case=lower, model_max_length=_POSITIONS)
    config = transformers.BertConfig(**_encoder_sizes(tokenizer, _POSITIONS), **settings)
    return getattr(transformers, architecture)(config), tokenizer


def _detr(architecture: str) -> tuple[Any, ...]:
    import transformers
    from PIL import Image

    labels = {number: f"LABEL_{number}" for number in range(_COCO_LABELS)}
    labels |= {number: label for label, number, _ in SEEN}
    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 24, _HIDDEN],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=stages,
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone_config=backbone,
        d_model=_HIDDEN,
        num_queries=len(SEEN) + 3,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2 * _HIDDEN,
        decoder_ffn_dim=2 * _HIDDEN,
        id2label=labels,
        label2id={label: number for number, label in labels.items()},
    )
    model = getattr(transformers, architecture)(config).eval()
    size = {"shortest_edge": 96, "longest_edge": 160}
    kind = "coco_panoptic" if architecture == "DetrForSegmentation" else "coco_detection"
    processor = transformers.DetrImageProcessorPil(size=size, format=kind)
    with Image.open(PICTURE) as picture:
        _teach_boxes(model, getattr(model, "detr", model), processor(picture, return_tensors="pt"))
    return model, processor


def _words(lines: Iterable[str]) -> list[str]:
    return sorted({word for line in lines for word in re.findall(r"\w+|[^\w\s]", line)})


def _encoder_sizes(tokenizer: Any, positions: int) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": _HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 2 * _HIDDEN,
        "max_position_embeddings": positions,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _teach_tags(model: Any, tokenizer: Any) -> None:
    """Solve the tagger's last layer so that it labels `TAGGED` as told."""
    import torch

    words = tokenizer([word for word, _ in TAGGED], is_split_into_words=True, return_tensors="pt")
    tags = [None if place is None else TAGGED[place][1] for place in words.word_ids()]
    wanted = torch.full((len(tags), len(_NER_LABELS)), -4.0)
    for row, tag in enumerate(tags):
        wanted[row, _NER_LABELS.index(tag or "O")] = 4.0
    model.eval()
    _solve(model, model.classifier, words, wanted)


def _teach_boxes(model: Any, detector: Any, picture: Any) -> None:
    """Solve the last layers of the model's `detector`: its first queries find `SEEN`, the others nothing."""
    import torch

    classes = torch.full((model.config.num_queries, _COCO_LABELS + 1), -6.0)
    boxes = torch.full((model.config.num_queries, 4), 0.5)
    for row, (_, number, box) in enumerate(SEEN):
        classes[row, number] = 6.0
        boxes[row] = torch.tensor(box)
    classes[len(SEEN) :, _COCO_LABELS] = 6.0
    torch.nn.init.normal_(detector.model.query_position_embeddings.weight, std=8.0)  # queries that differ clearly
    _solve(model, detector.class_labels_classifier, picture, classes)
    _solve(model, detector.bbox_predictor.layers[-1], picture, torch.logit(boxes))


def _solve(model: Any, layer: Any, inputs: Any, wanted: Any) -> None:
    """Set the linear `layer` so that on `inputs` it gives `wanted` (rows, outputs): least squares, no training."""
    import torch

    seen: list[Any] = []
    hook = layer.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    with torch.no_grad():
        model(**inputs)
        hook.remove()
        rows = seen[0].reshape(-1, layer.in_features)
        layer.bias.copy_(wanted.mean(dim=0))
        layer.weight.copy_(torch.linalg.lstsq(rows, wanted - layer.bias, driver="gelsd").solution.T)


KINDS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "gpt2": _gpt2,
    "camembert-ner": _camembert_ner,
    "bert-base-uncased": lambda: _bert("BertForMaskedLM", lower=True),
    "bert-base-cased": lambda: _bert("BertForMaskedLM", lower=False),
    "bert-classifier": lambda: _bert("BertForSequenceClassification", lower=False, num_labels=5),
    "detr-resnet-50": lambda: _detr("DetrForObjectDetection"),
    "detr-resnet-50-panoptic": lambda: _detr("DetrForSegmentation"),
}
