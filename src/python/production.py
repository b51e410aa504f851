"""Every item of the production, its pool size and its settings, on one page."""

import os
import sys

from iop import Production

import bo
import bp
import bs
from paths import model_root
from settinglines import format_lines

BUNDLED_MODEL = "all-MiniLM-L6-v2"  # comes with the installation, so that everything works without a hub
# How many messages a model's item has in hand; what waits at the same time runs as one batch. On irislite the
# members of its pool are threads, on IRIS processes, which share the model's own process (the setting isolation).
TOGETHER = 16 if "irislite" in sys.modules else 4

production = Production(
    "iris.Production",
    testing_enabled=True,
    description="Hugging Face models at work: hosted, local, tuned on SQL rows.",
)

production.service(
    "Application API",
    bs.ApplicationService,
    class_name="Python.ApplicationService",
    comment="Where requests of /api/v1 and /v2 enter: docs/api.md",
)

production.operation(
    "HuggingFace API",
    bo.HFOperation,
    class_name="Python.HFOperation",
    comment="Calls a hosted model: msg.HFRequest",
)


def local_model(item: str, **settings: str) -> None:
    """An item whose model comes from the hub: disabled until the model's folder is there."""
    name = settings["name"]
    there = (model_root() / name).is_dir()
    comment = f"Runs {name}: msg.MLRequest" if there else (
        f"Its model is not in src/model/{name} yet. Enable the item to download it from {settings['model_url']}, "
        "or put the folder there yourself."
    )  # fmt: skip
    production.operation(
        item,
        bo.MLOperation,
        class_name="Python.MLOperation",
        enabled=there,
        pool_size=TOGETHER,
        comment=comment,
        settings={"%settings": format_lines(settings)},
    )


local_model(
    "HuggingFace gpt2 local",
    model_url="https://huggingface.co/gpt2",
    name="gpt2",
    task="text-generation",
)
local_model(
    "HuggingFace ner local",
    name="camembert-ner",
    model_url="https://huggingface.co/Jean-Baptiste/camembert-ner",
    task="ner",
    aggregation_strategy="simple",
)
local_model(
    "HuggingFace bert local",
    name="bert-base-uncased",
    model_url="https://huggingface.co/bert-base-uncased",
    task="fill-mask",
)
local_model(
    "HuggingFace Image resnet local",
    name="detr-resnet-50",
    model_url="https://huggingface.co/facebook/detr-resnet-50",
    task="object-detection",
)
local_model(
    "HuggingFace Image panoptic local",
    name="detr-resnet-50-panoptic",
    model_url="https://huggingface.co/facebook/detr-resnet-50-panoptic",
    task="image-segmentation",
)

production.operation(
    "Python.MLOperation",
    bo.MLOperation,
    class_name="Python.MLOperation",
    pool_size=TOGETHER,
    comment="Labels a text with the tuned model: msg.MLRequest",
    settings={"%settings": format_lines({"name": BUNDLED_MODEL, "task": "text-classification", "num_labels": "5"})},
)
production.operation(
    "Python.TuningOperation",
    bo.TuningOperation,
    class_name="Python.TuningOperation",
    pool_size=2,  # one is busy while a training runs, the other hears msg.CancelRequest
    comment="Tunes a model on SQL rows, promotes it, takes it back: msg.TrainRequest, msg.OverrideRequest, ...",
    settings={
        "%settings": format_lines({"path": "/irisdev/app/src/model/", "model_name": BUNDLED_MODEL, "num_labels": "5"})
    },
)

CLIP = {
    "path": "/irisdev/app/src/books/",
    "model": "clip-vit-base-patch32",
    "model_url": "https://huggingface.co/openai/clip-vit-base-patch32",
    "text_model": "bundled",
}
clip_there = (model_root() / CLIP["model"]).is_dir()
LACKING = "" if clip_there else (
    f" Its model is not in src/model/{CLIP['model']} yet: enable the item to download it, or name another folder."
)  # fmt: skip
production.operation(
    "Python.SearchOperation",
    bo.SearchOperation,
    class_name="Python.SearchOperation",
    enabled=clip_there,
    comment=f"Finds books by describing their covers: msg.SearchRequest, msg.EmbedRequest.{LACKING}",
    settings={"%settings": format_lines(CLIP)},
)
production.operation(
    "Python.IndexOperation",
    bo.IndexOperation,
    class_name="Python.IndexOperation",
    enabled=clip_there,
    pool_size=2,  # one is busy while a job runs, the other tells how far it is and cancels it
    comment=f"Makes the index that is searched, from dump and covers: msg.IndexRequest.{LACKING}",
    settings={"%settings": format_lines(CLIP | {"dump": "/irisdev/app/src/books/dump/"})},
)

production.process(
    "Python.ExperimentProcess",
    bp.ExperimentProcess,
    class_name="Python.ExperimentProcess",
    comment="Runs an experiment, step by step: msg.ExperimentRequest",
    settings={"Experiments": "Python.ExperimentOperation"},
)
production.operation(
    "Python.ExperimentOperation",
    bo.ExperimentOperation,
    class_name="Python.ExperimentOperation",
    pool_size=2,  # one is busy with a step, the other tells how far it is and stops it
    comment="Does the steps of experiments, hands their winners to the model registry: msg.ExperimentRequest",
    settings={"%settings": format_lines({"path": "/irisdev/app/src/experiments/", "candidate_of": BUNDLED_MODEL})},
)

# The sentiment of a stream: docs/sentiment.md. It begins with a file of posts that is replayed.
REDIS = os.environ.get("SENTIMENT_REDIS_URL", "")
STREAM = {"redis_url": REDIS or "redis://127.0.0.1:6379/0"}
WITHOUT_REDIS = "" if REDIS else (
    " It needs a Redis, and none is named. Start one that keeps what it has (redis-server --appendonly yes), and "
    "enable the three Python.Sentiment items; or name another Redis in SENTIMENT_REDIS_URL before the start."
)  # fmt: skip
production.service(
    "Python.SentimentService",
    bs.SentimentService,
    class_name="Python.SentimentService",
    enabled=bool(REDIS),
    pool_size=2,  # one batch is labelled while the next one gathers
    comment=f"Takes posts from a stream, in batches.{WITHOUT_REDIS}",
    # A batch is a trace: a second of waiting makes fewer of them.
    settings={
        "%settings": format_lines({**STREAM, "source": os.environ.get("SENTIMENT_SOURCE") or "file", "max_age_s": "1"})
    },
    adapter_settings={"CallInterval": "5"},
)
production.process(
    "Python.SentimentProcess",
    bp.SentimentProcess,
    class_name="Python.SentimentProcess",
    enabled=bool(REDIS),
    pool_size=2,
    comment=f"Has a batch of posts labelled, then delivered: msg.SentimentRequest.{WITHOUT_REDIS}",
    # The labels of the bundled model: stars, as the main job trains it; before that it has none of its own.
    settings={"%settings": format_lines({"positive": os.environ.get("SENTIMENT_POSITIVE") or "4,5,LABEL_3,LABEL_4"})},
)
production.operation(
    "Python.SentimentDelivery",
    bo.SentimentDelivery,
    class_name="Python.SentimentDelivery",
    enabled=bool(REDIS),
    pool_size=2,
    comment=f"Publishes labelled posts on the channels stream and STREAM, and keeps them.{WITHOUT_REDIS}",
    settings={"%settings": format_lines(STREAM)},
)

PRODUCTIONS = [production]

# The rooms that this application adds to irislite's portal, in their order: modules with a ROOM.
ROOMS = ["rooms.models", "rooms.energy", "rooms.books", "rooms.experiments", "rooms.stream"]

# What irislite serves beside its portal; on IRIS these are web applications. See docs/api.md.
APPLICATIONS = {"/api/v1": "api.app:create", "/v2": "api.app:create"}
