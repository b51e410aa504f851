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
    """Call a hosted model: `payload` is posted to `api_url` with `api_key` as the bearer."""

    api_url: str = ""
    payload: Any = None
    api_key: str = ""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "api_url": "https://api-inference.huggingface.co/models/gpt2",
        "payload": "Can you please let us know more details about your ",
        "api_key": "----------------------",
    }


@dataclass
class MLRequest(Message):
    """Run the item's model: every field is an argument of its transformers pipeline."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"inputs": "This was a really bad experience"}


@dataclass
class MLResponse(Message):
    """What an operation answers: `output` as JSON, pictures in `images`, and what should be known in `note`.

    An image is a mapping with `media_type`, `data` (base64), `width` and `height` in pixels.
    """

    output: Any = None
    images: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""


@dataclass
class TrainRequest(Message):
    """Tune the item's model on the rows of a SQL table.

    `columns` names the label first and the text second. `limit` absent: every row.
    `p_of_train` is the share of rows to train on, the rest evaluates. Every other field is
    one of transformers' `TrainingArguments`.
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
class OverrideRequest(Message):
    """Move the temporary model that a training left into its place; the model it replaces is kept."""

    EXAMPLE: ClassVar[dict[str, Any]] = {}
