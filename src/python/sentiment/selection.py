"""Which entries are labelled: no reposts, the keywords and languages that were asked for, something left to read."""

from dataclasses import dataclass

from sentiment.cleaning import clean
from sentiment.keywords import Keywords
from sentiment.language import Languages
from sentiment.options import Options
from sentiment.post import Entry, Message, Post, read


@dataclass(frozen=True)
class Skipped:
    """Why an entry is not labelled: repost, keyword, empty or language."""

    reason: str


class Selection:
    """The rules of some settings."""

    def __init__(self, options: Options) -> None:
        self._keywords = Keywords(options.keywords)
        self._languages = Languages(options.languages)
        self._longest = options.longest_text

    def of(self, entry: Entry) -> Post | Skipped:
        """The post that an entry is, or why it is skipped; the cheap rules first. Raises `Unreadable`."""
        message = read(entry.body, self._longest)
        if message.repost:
            return Skipped("repost")
        keyword = self._keywords.of(message.text)
        if keyword is None:
            return Skipped("keyword")
        text = clean(message.text)
        if not text:
            return Skipped("empty")
        language = self._languages.of(message.language, text)
        if language is None:
            return Skipped("language")
        return Post(
            entry=entry.id,
            id=_named(message, entry),
            text=text,
            original=message.text,
            keyword=keyword,
            language=language,
            accepted_ms=entry.accepted_ms,
            deliveries=entry.deliveries,
            origin=entry.origin,
        )


def _named(message: Message, entry: Entry) -> str:
    """The post's id; what a file says again as a new day is another post."""
    return f"{message.id}/{entry.lap}" if entry.lap and message.id else message.id
