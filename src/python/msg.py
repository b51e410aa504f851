"""Every message class a user can type.

A class's `EXAMPLE` is what the test page offers to start from. Fields that a class does not
declare become attributes of the message all the same: that is how `MLRequest` carries
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


@dataclass
class MLRequest(Message):
    """Run the item's model: every field is an argument of its transformers pipeline."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"inputs": "This was a really bad experience"}
    # The same for items of other tasks, by the task's name or how it begins.
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "text-generation": {"text_inputs": "Unfortunately, the outcome", "max_length": 100, "num_return_sequences": 3},
        "fill-mask": {"inputs": "George Washington lived in [MASK]."},
        **{task: {"inputs": "George Washington lived in washington"} for task in ("ner", "token-classification")},
        **{task: {"url": "/irisdev/app/misc/000000039769.jpg"} for task in ("image-", "object-", "depth-")},
    }


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


@dataclass
class CancelRequest(Message):
    """Stop the training that the item is busy with, at its next step; nothing of it is saved.

    `keep_best`: what was learned until then becomes the temporary model. It takes another member of the item's pool to
    hear this: a pool size of 2 or more. See docs/tuning.md.
    """

    keep_best: bool = False

    EXAMPLE: ClassVar[dict[str, Any]] = {}


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
