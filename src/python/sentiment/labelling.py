"""From a batch to results: the model's labels as 0 and 1, and which post is at fault when the model fails."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sentiment.batch import Batch
from sentiment.errors import ModelFailed, UnknownLabel
from sentiment.post import Post

Label = Callable[[list[str]], Sequence[Any]]
"""One label for each text: a name, a number, `{"label": ..., "score": ...}`, or a list that begins with one of these.
`{"error": ...}` stands for a text that it cannot label."""

ERRORS: tuple[type[Exception], ...] = (RuntimeError, ValueError, TypeError, LookupError, OSError)
"""What a model raises."""

# If the model cannot label that, no post is to blame.
_PROBE = Post("", "", "This is a text.", "", "", "", 0)
_STARS = re.compile(r"([1-5])(?:\.0)? stars?")
_POSITIVE = frozenset({"positive", "pos", "very positive"})
_OTHERS = frozenset({"negative", "neg", "very negative", "neutral", "mixed"})
_BEST_STARS = frozenset({"4", "5"})


@dataclass(frozen=True)
class Result:
    """A post with its label."""

    post: Post
    sentiment: int
    label: str
    """The model's."""
    score: float | None = None


@dataclass(frozen=True)
class Failure:
    """A post that the model cannot label, while it labels others."""

    post: Post
    reason: str


@dataclass(frozen=True)
class Labelled:
    """What came of a batch: each of its posts is in one of the two."""

    results: tuple[Result, ...] = ()
    failures: tuple[Failure, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For a message."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Labelled":
        """The inverse of `as_dict`."""
        return cls(
            tuple(Result(**{**one, "post": Post(**one["post"])}) for one in told["results"]),
            tuple(Failure(Post(**one["post"]), one["reason"]) for one in told["failures"]),
        )


class Polarity:
    """Which of the model's labels mean 1; all others mean 0.

    Without `positive` plain names are understood: positive, neutral and negative, and stars, of which 4 and 5 are
    positive. LABEL_1 or a bare number is another thing in each model: these want the setting.
    """

    def __init__(self, positive: Sequence[str] = ()) -> None:
        self._positive = frozenset(name.casefold() for name in positive)

    def of(self, label: str) -> int:
        """1 or 0. Raises `UnknownLabel`."""
        name = label.strip().casefold()
        if self._positive:
            return int(name in self._positive)
        if name in _POSITIVE or name in _OTHERS:
            return int(name in _POSITIVE)
        if stars := _STARS.fullmatch(name):
            return int(stars[1] in _BEST_STARS)
        raise UnknownLabel(
            f"Nobody said what the model's label {label!r} means: name the labels that are positive in the setting "
            "positive, as in LABEL_1 or 4,5."
        )


def label_batch(batch: Batch, label: Label, polarity: Polarity) -> Labelled:
    """Label the posts together; where that fails, by halves, until those at fault are alone.

    Raises `ModelFailed` if the model fails at any text: then no post is at fault.
    """
    try:
        found = _asked(batch.posts, label, polarity)
    except UnknownLabel:
        raise
    except ERRORS as error:
        _probe(label, polarity, error)
        found = _halved(batch.posts, label, polarity)
    results = tuple(one for one in found if isinstance(one, Result))
    failures = tuple(one for one in found if isinstance(one, Failure))
    if failures and not results:
        _probe(label, polarity)
    return Labelled(results, failures)


def _halved(posts: Sequence[Post], label: Label, polarity: Polarity) -> "list[Result | Failure]":
    """Once more together, for a fault that passes; then each half for itself."""
    try:
        return _asked(posts, label, polarity)
    except UnknownLabel:
        raise
    except ERRORS as error:
        if len(posts) == 1:
            return [Failure(posts[0], f"The model fails at it: {error}")]
    middle = len(posts) // 2
    return [*_halved(posts[:middle], label, polarity), *_halved(posts[middle:], label, polarity)]


def _probe(label: Label, polarity: Polarity, before: Exception | None = None) -> None:
    """Raise `ModelFailed` if the model fails at a text that nobody could fail at."""
    (found,) = _halved((_PROBE,), label, polarity)
    if isinstance(found, Failure):
        raise ModelFailed(f"{found.reason}, and at any other text: see to it; the batch is kept.") from before


def _asked(posts: Sequence[Post], label: Label, polarity: Polarity) -> "list[Result | Failure]":
    answers = label([post.text for post in posts])
    if len(answers) != len(posts):
        raise ModelFailed(f"The model gave {len(answers)} answers to {len(posts)} texts: it must give one for each.")
    return [_outcome(post, answer, polarity) for post, answer in zip(posts, answers, strict=True)]


def _outcome(post: Post, answer: Any, polarity: Polarity) -> "Result | Failure":
    while isinstance(answer, list) and answer:  # the best comes first
        answer = answer[0]
    score = None
    if isinstance(answer, Mapping):
        if set(answer) == {"error"}:
            return Failure(post, f"The model fails at it: {answer['error']}")
        found = answer.get("score")
        score = round(float(found), 4) if isinstance(found, (int, float)) else None
        answer = answer.get("label")
    if isinstance(answer, bool) or not isinstance(answer, (str, int)):
        raise ModelFailed(f"The model answered {str(answer)[:80]!r}, which is no label: it must classify texts.")
    return Result(post, polarity.of(str(answer)), str(answer), score)
