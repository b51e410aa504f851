"""What can go wrong with a stream of posts, as a small tree; every message ends with what to do."""


class SentimentError(Exception):
    """Everything this package raises on purpose."""


class BadSetting(SentimentError, ValueError):
    """A setting cannot be used."""


class BadRequest(SentimentError, ValueError):
    """What was asked for cannot be: a dead letter's id that is none, a body that is too long."""


class PackageMissing(SentimentError, ImportError):
    """A package that a setting needs is not installed."""


class Unreadable(SentimentError, ValueError):
    """An entry is no post. It becomes a dead letter with this as its reason, never an end."""


class SourceUnreadable(SentimentError, OSError):
    """The file of posts is not there or cannot be read."""


class RedisUnreachable(SentimentError, ConnectionError):
    """Redis gives no answer, or refuses to write. What is in hand is kept, and tried again."""


class ModelFailed(SentimentError, RuntimeError):
    """The model gives no answer, whatever it is asked: the batch is kept, and tried again."""


class UnknownLabel(ModelFailed, LookupError):
    """The model answers with a label that nobody said the meaning of."""


class Stopped(SentimentError):
    """Somebody asked for an end while something was waited for."""
