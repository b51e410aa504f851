"""The language of a post: what it says of itself, else what its words tell."""

import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any

from sentiment.errors import PackageMissing

UNKNOWN = ""
_UNSAID = frozenset({"", "und", "zxx", "qme", "qst", "qht", "qam"})  # what a source writes when it does not know
_SURE = 0.5


class Languages:
    """The languages that are wanted, by their codes of two letters; all if none is named.

    A text is skipped only if it is surely in another language: of a few words nobody can be sure, and "ok lol" is read
    by every model.
    """

    def __init__(self, wanted: Sequence[str]) -> None:
        self._wanted = frozenset(_short(one) for one in wanted)
        if self._wanted and importlib.util.find_spec("py3langid") is None:
            raise PackageMissing("The setting languages needs the package py3langid: pip install 'evergreen[stream]'.")
        self._identifier = _identifier() if self._wanted else None

    def of(self, said: str, text: str) -> str | None:
        """The language of a text, `UNKNOWN` if it cannot be told; None if it is not wanted. `said`: by the post."""
        language = _short(said)
        if language not in _UNSAID:
            return language if not self._wanted or language in self._wanted else None
        if self._identifier is None:
            return UNKNOWN
        language, share = self._identifier.classify(text)
        if language in self._wanted:
            return str(language)
        return None if share >= _SURE else UNKNOWN


def _short(code: str) -> str:
    """en of en-GB."""
    return code.replace("_", "-").partition("-")[0].strip().lower()


@cache
def _identifier() -> Any:
    """It takes a second to load, and holds nothing that threads would have to share."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
