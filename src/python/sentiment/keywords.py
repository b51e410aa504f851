"""Which of the keywords that somebody follows a text is about."""

import re
from collections.abc import Sequence

from sentiment.cleaning import without_links

NONE = "None"
"""The keyword of a post when none is asked for: the known message says it so."""

_WORD = re.compile(r"\w+")
# Kana, ideographs, Hangul, Thai: written without spaces, or with endings that grow on a word; these are found inside.
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class Keywords:
    """Keywords in any case, as whole words, with or without # and @; of a phrase all words, in any order."""

    def __init__(self, keywords: Sequence[str]) -> None:
        self._phrases = [(keyword, frozenset(_words(keyword))) for keyword in keywords]

    def of(self, text: str) -> str | None:
        """The first keyword that the text has; `NONE` when none is asked for; None if it has none of them."""
        if not self._phrases:
            return NONE
        text = without_links(text)
        words = set(_words(text))
        folded = text.casefold()
        for keyword, wanted in self._phrases:
            if wanted and all(word in words or (_UNSPACED.search(word) and word in folded) for word in wanted):
                return keyword
        return None


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
