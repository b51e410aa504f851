"""What can go wrong with an inference; every message ends with what to do."""


class InferenceError(Exception):
    """Anything this package refuses or fails at."""


class ModelNotFound(InferenceError, FileNotFoundError):
    """There is no folder for the model and no address to download it from."""


class ModelBroken(InferenceError, ValueError):
    """The model's folder is there, but what lies in it cannot be used."""


class DownloadFailed(InferenceError, ConnectionError):
    """The model could not be brought from where it comes from; the model folder is as it was before."""


class DownloadRefused(DownloadFailed, PermissionError):
    """The hub or web server says no: not found, no right, a rule of ours. Trying again does not help."""


class OriginUnreachable(DownloadFailed):
    """The hub or web server that has the model gives no answer now: no network, offline, busy. Later it may."""


class DiskFull(DownloadFailed):
    """The model does not fit on the disk."""


class TaskUnknown(InferenceError, ValueError):
    """No pipeline has this name, or it is one that transformers has removed."""


class TaskMismatch(InferenceError, ValueError):
    """The model's architecture cannot do the task."""


class OptionUnknown(InferenceError, TypeError):
    """A setting or a request's field that the task's pipeline does not take."""


class InputRefused(InferenceError, ValueError):
    """A request whose text, picture or fields make no sense for the task."""


class ImageNotReadable(InputRefused):
    """What was given as a picture is none, or too large to be opened safely."""


class SoundNotReadable(InputRefused):
    """What was given as a sound is none, is too long, or needs a decoder that is not installed."""


class FilmNotReadable(InputRefused):
    """What was given as a film is none, is too large, or has fewer pictures than the model wants."""


class SourceRefused(InputRefused):
    """An address that may not be read: another scheme, a private network, too much data, no answer."""


class PipelineFailed(InferenceError, RuntimeError):
    """The pipeline raised an error while it worked on a request."""


class ModelProcessEnded(InferenceError, RuntimeError):
    """A model that runs in a process of its own, and that process did not start or ended again and again."""


class EndpointError(InferenceError, RuntimeError):
    """A hosted model answered with an error, or the call was not allowed. `status` is the HTTP status or None."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class EndpointUnreachable(EndpointError, ConnectionError):
    """A hosted model gave no answer: name, network, certificate or time."""


class HostNotAllowed(EndpointError, PermissionError):
    """A hosted model's address is not one that the item may call; nothing was sent."""
