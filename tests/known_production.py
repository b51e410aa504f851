"""The production that users know: its items in their order, their classes and the lines of their %settings."""

KNOWN = {
    "HuggingFace API": ("Python.HFOperation", {}),
    "HuggingFace gpt2 local": (
        "Python.MLOperation",
        {"name": "gpt2", "model_url": "https://huggingface.co/gpt2", "task": "text-generation"},
    ),
    "HuggingFace ner local": (
        "Python.MLOperation",
        {
            "name": "camembert-ner",
            "model_url": "https://huggingface.co/Jean-Baptiste/camembert-ner",
            "task": "ner",
            "aggregation_strategy": "simple",
        },
    ),
    "HuggingFace bert local": (
        "Python.MLOperation",
        {"name": "bert-base-uncased", "model_url": "https://huggingface.co/bert-base-uncased", "task": "fill-mask"},
    ),
    "HuggingFace Image resnet local": (
        "Python.MLOperation",
        {
            "name": "detr-resnet-50",
            "model_url": "https://huggingface.co/facebook/detr-resnet-50",
            "task": "object-detection",
        },
    ),
    "HuggingFace Image panoptic local": (
        "Python.MLOperation",
        {
            "name": "detr-resnet-50-panoptic",
            "model_url": "https://huggingface.co/facebook/detr-resnet-50-panoptic",
            "task": "image-segmentation",
        },
    ),
    # Whose settings each user types for a model of their own; here they name the one that is bundled.
    "Python.MLOperation": (
        "Python.MLOperation",
        {"name": "all-MiniLM-L6-v2", "task": "text-classification", "num_labels": "5"},
    ),
    "Python.TuningOperation": (
        "Python.TuningOperation",
        {"path": "/irisdev/app/src/model/", "model_name": "all-MiniLM-L6-v2", "num_labels": "5"},
    ),
}


def lines(text: str) -> dict[str, str]:
    """The `name=value` lines of an item's %settings."""
    return dict(line.split("=", 1) for line in text.split("\n") if line.strip())
