"""What can go wrong with a search or its index, as a small tree; every message ends with what to do."""


class SearchError(Exception):
    """Everything this package raises on purpose."""


class BadRequest(SearchError, ValueError):
    """A setting or a field of a request cannot be used."""


class PackageMissing(SearchError, ImportError):
    """A package, or a Java, that was asked for is not installed."""


class DumpUnreadable(SearchError, OSError):
    """The dump is not there, or is not what its name says."""


class DumpCut(DumpUnreadable):
    """The dump ends in the middle of a line or of its compression: a download that broke off."""


class CoverUnreadable(SearchError, ValueError):
    """A cover is none: no picture, an empty one, a page of HTML, a broken zip. A row of the report, never an end."""


class CoversRefused(SearchError, ConnectionError):
    """The server of covers says no to everything, or cannot be reached."""


class ModelUnusable(SearchError, OSError):
    """The model's folder is missing, or holds no model of the kind that is needed."""


class CollectionMissing(SearchError, LookupError):
    """There is no collection of this name: nothing was indexed yet."""


class CollectionMismatch(SearchError, ValueError):
    """The collection holds vectors of another dimension or of another model."""


class CollectionUnreachable(SearchError, ConnectionError):
    """The database of the collection gives no answer."""


class BookUnknown(SearchError, LookupError):
    """The collection has no book of this key."""


class Cancelled(SearchError):
    """The job was stopped by a message; what is finished of it is kept."""


class JobRunning(SearchError, RuntimeError):
    """Another process is busy with this index."""


class NotRunning(SearchError, LookupError):
    """There is no running job to cancel."""


class JobFailed(SearchError, RuntimeError):
    """A part of the work failed in a worker; what is finished is kept."""
