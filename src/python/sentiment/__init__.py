"""The sentiment of a stream of posts: taken from a source, cleaned, labelled in batches, delivered, none lost.

    options = Options.parse({"source": "file", "keywords": "tea,coffee"})
    link = connect(options)
    worker = Worker(options, link, label, print)   # label: texts -> labels

Every post goes through a stream in Redis. Nothing heavy is imported before it is needed.
"""

from collections.abc import Callable

from sentiment.batch import Batch, batch_of
from sentiment.delivery import Delivered, Delivery
from sentiment.errors import (
    BadRequest,
    BadSetting,
    ModelFailed,
    PackageMissing,
    RedisUnreachable,
    SentimentError,
    SourceUnreadable,
    Stopped,
    UnknownLabel,
    Unreadable,
)
from sentiment.gathering import Gatherer
from sentiment.labelling import Failure, Label, Labelled, Polarity, Result, label_batch
from sentiment.link import Link, connect, patiently
from sentiment.member import Member
from sentiment.names import CHANNELS, Names
from sentiment.options import SETTINGS, Options
from sentiment.overview import Overview
from sentiment.post import Entry, Post
from sentiment.worker import Worker

__all__ = [
    "CHANNELS",
    "SETTINGS",
    "BadRequest",
    "BadSetting",
    "Batch",
    "Delivered",
    "Delivery",
    "Entry",
    "Failure",
    "Gatherer",
    "Label",
    "Labelled",
    "Link",
    "Member",
    "ModelFailed",
    "Names",
    "Options",
    "Overview",
    "PackageMissing",
    "Polarity",
    "Post",
    "RedisUnreachable",
    "Result",
    "SentimentError",
    "SourceUnreadable",
    "Stopped",
    "UnknownLabel",
    "Unreadable",
    "Worker",
    "batch_of",
    "connect",
    "label_batch",
    "opened",
    "patiently",
]


def opened(options: Options, link: Link, log: Callable[[str], None]) -> Member:
    """A member of the group, which gives batches until it is closed; it fills the stream if `source` says so.

    `log` is called from threads. Raises `SentimentError`; nothing is asked of Redis yet.
    """
    return Member(options, link, log)
