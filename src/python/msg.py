"""Every message class a user can type.

A class's `EXAMPLE` is what the test page offers to start from, `EXAMPLES` are more of them. Fields that a
class does not declare become attributes of the message all the same: that is how `MLRequest` carries
anything a pipeline takes.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from iop import Message


@dataclass
class HFRequest(Message):
    """Call a hosted model: `payload` is posted to `api_url`, or the model named `model` is asked for `inputs`.

    By name: `task` as the hub calls it (left out: what the model's provider serves it for), `parameters` of that task,
    `messages` instead of `inputs` for a chat, `stream` to see progress in the log, `provider` and `bill_to` as on
    Hugging Face. A picture or a sound is given as an address, a path or a data URI. `timeout` is in seconds. `api_key`
    is used and never stored; without it the item's credential is used, or HF_TOKEN. See docs/hosted.md.
    """

    api_url: str = ""
    payload: Any = None
    api_key: str = field(default="", repr=False)
    model: str = ""
    provider: str = ""
    task: str = ""
    inputs: Any = None
    parameters: dict[str, Any] | None = None
    messages: list[dict[str, Any]] | None = None
    stream: bool = False
    timeout: float | None = None
    bill_to: str = ""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "api_url": "https://api-inference.huggingface.co/models/gpt2",
        "payload": "Can you please let us know more details about your ",
        "api_key": "----------------------",
    }
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "a model by name": {
            "model": "distilbert/distilbert-base-uncased-finetuned-sst-2-english",
            "inputs": "This was a really bad experience",
        },
        "a chat": {
            "model": "Qwen/Qwen2.5-7B-Instruct",
            "messages": [{"role": "user", "content": "Name three rivers."}],
            "stream": True,
        },
    }


@dataclass
class MLRequest(Message):
    """Run the item's model: every field is an argument of its transformers pipeline."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"inputs": "This was a really bad experience"}
    # What items are asked, by how their task begins: what it shows, and the fields. Every task: docs/tasks.md.
    EXAMPLES: ClassVar[tuple[tuple[str | tuple[str, ...], str, dict[str, Any]], ...]] = (
        ("text-generation", "three ends of a sentence",
            {"text_inputs": "Unfortunately, the outcome", "max_length": 100, "num_return_sequences": 3}),
        ("text-generation", "short ones",
            {"text_inputs": "George Washington lived", "max_length": 30, "num_return_sequences": 3}),
        ("text-generation", "a chat, for chat models",
            {"text_inputs": [{"role": "user", "content": "Name three rivers."}], "max_new_tokens": 60}),
        ("fill-mask", "a word is missing", {"inputs": "George Washington lived in [MASK]."}),
        ("fill-mask", "which of two words", {"inputs": "The food was [MASK].", "targets": ["good", "bad"]}),
        (("ner", "token-classification"), "names in a text", {"inputs": "George Washington lived in washington"}),
        (("text-classification", "sentiment-analysis"), "a text", {"inputs": "This was a really bad experience"}),
        (("text-classification", "sentiment-analysis"), "the two likeliest labels of several texts",
            {"inputs": ["This was a really bad experience", "The best meal in years"], "top_k": 2}),
        ("zero-shot-classification", "labels of your own",
            {"inputs": "The food was cold.", "candidate_labels": ["food", "politics"]}),
        ("feature-extraction", "a text as numbers", {"inputs": "The food was cold."}),
        ("table-question-answering", "a small table", {
            "table": {"city": ["Rome", "Oslo"], "people": ["2800000", "700000"]}, "query": "Which city is first?"}),
        (("zero-shot-image-classification", "zero-shot-object-detection"), "labels of your own",
            {"url": "/irisdev/app/misc/000000039769.jpg", "candidate_labels": ["cats", "a car"]}),
        ("keypoint-matching", "two pictures", {
            "inputs": ["/irisdev/app/misc/000000039769.jpg", "/irisdev/app/misc/000000039769.jpg"]}),
        (("image-", "object-", "depth-", "mask-"), "a picture of this project",
            {"url": "/irisdev/app/misc/000000039769.jpg"}),
        (("image-", "object-", "depth-", "mask-"), "a picture from the internet",
            {"url": "http://images.cocodataset.org/val2017/000000039769.jpg"}),
        ("object-detection", "only what is likely", {"url": "/irisdev/app/misc/000000039769.jpg", "threshold": 0.9}),
        (("audio-", "automatic-speech-"), "a sound of this project", {"url": "/irisdev/app/misc/bell.wav"}),
        ("zero-shot-audio-classification", "labels of your own",
            {"url": "/irisdev/app/misc/bell.wav", "candidate_labels": ["a bell", "a dog"]}),
        (("text-to-audio", "text-to-speech"), "a text to be read out", {"text_inputs": "Hello there."}),
        ("video-classification", "a film of this project", {"url": "/irisdev/app/misc/square.mp4", "top_k": 3}),
    )  # fmt: skip


@dataclass
class StreamRequest(Message):
    """Run the item's model of the task text-generation on the fields of `request`, as MLRequest does, for a reader.

    The text is handed on, while it is written, to the reader that waits at `stream`; the application API makes such
    streams. Without a reader the answer is the same.
    """

    stream: str = ""
    request: dict[str, Any] = field(default_factory=dict)

    EXAMPLE: ClassVar[dict[str, Any]] = {"request": {"text_inputs": "Unfortunately, the outcome", "max_new_tokens": 40}}


@dataclass
class MLResponse(Message):
    """What an operation answers: `output` as JSON, pictures in `images`, what should be known in `note`, what it cost.

    An image is a mapping with `media_type`, `data` (base64), `width` and `height` in pixels. A part, such as a sound
    or a list too large for `output`, has `media_type`, `encoding` ("gzip" or ""), `data` (base64) and `title`; where
    `output` holds `{"picture": 0}` or `{"part": 0}`, the value is the first of them. `energy` has `joules` with `low`
    and `high`, `carbon_g` with its range, and the `method` that gave them; unknown is None. See docs/energy.md.
    """

    output: Any = None
    images: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""
    parts: list[dict[str, Any]] = field(default_factory=list)
    energy: dict[str, Any] | None = None


@dataclass
class TrainRequest(Message):
    """Tune the item's model on the rows of a SQL table.

    `columns` names the label first and the text second; a third is the second text of a pair. `limit` absent: every
    row. `p_of_train` is the share of rows to train on, the rest evaluates. Instead of `table`, `file` names a CSV,
    Parquet or JSON file, or `dataset` a data set of the hub: docs/tuning-data.md. `method`, `task`, `resume` and their
    like: docs/tuning.md. Every other field is one of transformers' `TrainingArguments`.
    """

    columns: str = ""
    table: str = ""
    limit: int | None = None
    p_of_train: float = 0.8

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "columns": "ReviewLabel,ReviewText",
        "table": "iris.Review",
        "limit": 1500,
        "p_of_train": 0.8,
        "output_dir": "/irisdev/app/src/model/checkpoints",
        "evaluation_strategy": "epoch",
        "learning_rate": 2e-4,
        "warmup_ratio": 0.1,
        "num_train_epochs": 3,
    }
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "a try-out on 60 rows": {
            "columns": "ReviewLabel,ReviewText", "table": "iris.Review", "limit": 60, "p_of_train": 0.8,
            "output_dir": "/irisdev/app/src/model/checkpoints", "evaluation_strategy": "epoch",
            "learning_rate": 1e-4, "num_train_epochs": 1,
        },
        "20 rows, evaluated on the way": {
            "columns": "ReviewLabel,ReviewText", "table": "iris.Review", "limit": 20, "p_of_train": 0.8,
            "output_dir": "/irisdev/app/src/model/checkpoints", "evaluation_strategy": "steps",
            "learning_rate": 0.01, "num_train_epochs": 1,
        },
        "a small adapter instead of all weights": {
            "columns": "ReviewLabel,ReviewText", "table": "iris.Review", "limit": 1500, "method": "lora",
            "learning_rate": 1e-3, "num_train_epochs": 3,
        },
        "go on where a training was cut short": {"resume": True},
    }  # fmt: skip


@dataclass
class CancelRequest(Message):
    """Stop the training that the item is busy with, at its next step; nothing of it is saved.

    `keep_best`: what was learned until then becomes the temporary model. It takes another member of the item's pool to
    hear this: a pool size of 2 or more. See docs/tuning.md.
    """

    keep_best: bool = False

    EXAMPLE: ClassVar[dict[str, Any]] = {}
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {"keep what was learned": {"keep_best": True}}


@dataclass
class OverrideRequest(Message):
    """Move the temporary model that a training left into its place; the model it replaces is kept.

    `min_improvement`: by how much `metric` (accuracy) must be better than before; `metric` alone asks for one that is
    not worse. `expect`: the `candidate_id` of the training's report, so that no other candidate is promoted. See
    docs/promotion.md.
    """

    min_improvement: float | None = None
    metric: str | None = None
    expect: str | None = None

    EXAMPLE: ClassVar[dict[str, Any]] = {}
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "only if it is better": {"metric": "f1_macro", "min_improvement": 0.01},
        "only if it is the one that was looked at": {"expect": "sha256:0123abcd"},
    }


@dataclass
class RollbackRequest(Message):
    """Put the model before the last promotion back into its place; the one taken away can be promoted again."""

    EXAMPLE: ClassVar[dict[str, Any]] = {}


@dataclass
class CompareRequest(Message):
    """Ask champion and candidate the same: `texts`, or `limit` rows of a `table`, the last of `columns` being the text.

    With two columns the first is the label, and the answer says how often each model is right. `shadow`: instead, what
    the candidate answered to live requests so far. See docs/promotion.md.
    """

    texts: list[str] | None = None
    table: str | None = None
    columns: str | None = None
    limit: int | None = None
    shadow: bool | None = None

    EXAMPLE: ClassVar[dict[str, Any]] = {"texts": ["This was a really bad experience", "The best meal in years"]}
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "rows of a table": {"table": "iris.Review", "columns": "ReviewLabel,ReviewText", "limit": 50},
        "live requests": {"shadow": True},
    }


@dataclass
class HistoryRequest(Message):
    """Tell the last promotions and rollbacks of the item's model, the newest first."""

    limit: int = 20

    EXAMPLE: ClassVar[dict[str, Any]] = {"limit": 20}


@dataclass
class SearchRequest(Message):
    """Find books: `query` describes a cover in words, or `image` is a picture, or `like` the key of a book like them.

    `image` is an address, a path or a data URI. `over` is covers, or texts for titles and descriptions. `filter` says
    which books may be found, as {"year": {"from": 2015}, "pages": {"to": 300}, "subjects": ["mystery"]}. See
    docs/search.md.
    """

    query: str = ""
    image: str = ""
    like: str = ""
    over: str = "covers"
    limit: int = 10
    filter: dict[str, Any] | None = None
    thumbnails: bool = True

    EXAMPLE: ClassVar[dict[str, Any]] = {"query": "a lonely lighthouse at night", "limit": 10}
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "of some years and subjects": {
            "query": "a lonely lighthouse at night",
            "filter": {"year": {"from": 2015}, "subjects": ["mystery"]},
        },
        "covers like a picture": {"image": "/irisdev/app/misc/000000039769.jpg"},
        "what it is about": {"query": "two sisters inherit an island", "over": "texts"},
    }


@dataclass
class SearchResponse(Message):
    """The books that were found, the best first, and their covers.

    A hit has `key`, `title`, `authors`, `year`, `pages`, `subjects`, `cover`, `score` (the cosine, at most 1) and
    `image`, the place of its cover in `images`, or None. `images` and `energy` are those of `MLResponse`.
    """

    hits: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""
    energy: dict[str, Any] | None = None


@dataclass
class EmbedRequest(Message):
    """Make unit vectors of `texts` and `images`, as a search compares them; `over` is covers or texts."""

    texts: list[str] | None = None
    images: list[str] | None = None
    over: str = "covers"

    EXAMPLE: ClassVar[dict[str, Any]] = {"texts": ["a lonely lighthouse at night"]}


@dataclass
class IndexRequest(Message):
    """Make or renew the index of the item's settings (`action` start), tell how far that is (report), or cancel it.

    It takes another member of the item's pool to hear the last two while a job runs. See docs/search.md.
    """

    action: str = "start"

    EXAMPLE: ClassVar[dict[str, Any]] = {"action": "start"}
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "how far it is": {"action": "report"},
        "stop it": {"action": "cancel"},
    }


@dataclass
class SentimentRequest(Message):
    """Label the posts of a batch and deliver them: one message for all of them. See docs/sentiment.md.

    `batch` is what Python.SentimentService read from its source. By hand, write `texts` instead: they are labelled and
    published like posts.
    """

    batch: dict[str, Any] = field(default_factory=dict)
    texts: list[str] | None = None

    EXAMPLE: ClassVar[dict[str, Any]] = {"texts": ["What a wonderful phone", "The worst service I ever had"]}


@dataclass
class DeliverRequest(Message):
    """Publish labelled posts and acknowledge them at their source; `labelled` is what Python.SentimentProcess made."""

    labelled: dict[str, Any] = field(default_factory=dict)


@dataclass
class SentimentResponse(Message):
    """What became of a batch.

    `published` counts the posts that were published now, `already` those that had been before, as after a crash.
    `failed` has, for each post that the model could not label, its `id` and the `reason`.
    """

    published: int = 0
    already: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)


@dataclass
class ExperimentRequest(Message):
    """Run the experiment whose folder is called `experiment`: each step is a message, the answer is the comparison.

    `action`: start; validate tells what is wrong with it, before anything is started; status and compare tell of a
    `run` (the last, if it is left out); cancel stops it; candidate hands the run's winner, or its model `model`, to the
    model registry as the candidate of `candidate_of`; new makes the folder, for the `columns` (label, text) of a
    `table`. `by` is who asks, for the run's record. See docs/experiment.md.
    """

    experiment: str = ""
    action: str = "start"
    run: int | None = None
    model: str = ""
    candidate_of: str = ""
    table: str = ""
    columns: str = ""
    by: str = ""

    EXAMPLE: ClassVar[dict[str, Any]] = {"experiment": "EXP-1-reviews"}
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "make it": {
            "action": "new", "experiment": "EXP-1-reviews", "table": "iris.Review", "columns": "ReviewLabel,ReviewText",
        },
        "what is wrong with it": {"action": "validate", "experiment": "EXP-1-reviews"},
        "how far it is": {"action": "status", "experiment": "EXP-1-reviews"},
        "stop it": {"action": "cancel", "experiment": "EXP-1-reviews"},
        "compare its models": {"action": "compare", "experiment": "EXP-1-reviews", "run": 1},
        "hand one of them over": {
            "action": "candidate", "experiment": "EXP-1-reviews", "run": 1, "model": "all-MiniLM-L6-v2",
        },
    }  # fmt: skip


@dataclass
class ExperimentStep(Message):
    """Do one step of a run; Python.ExperimentProcess sends them in their order.

    `step` is validation (which takes the run's number), reconciliation, preparation/MODEL, training/MODEL,
    tuning/MODEL, inference/MODEL, comparison, or candidate.
    """

    experiment: str = ""
    step: str = ""
    run: int | None = None
    candidate_of: str = ""
    by: str = ""
