"""A post's text without what a model of sentiment cannot use."""

import html
import re
import unicodedata

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_FORWARDED = re.compile(r"\b(?:RT|cc)\b:?")  # words: "success" has a cc in it
_TAGGED = re.compile(r"[#@＃＠]\S+")
_APOSTROPHE = re.compile(r"(?<=\w)[’'](?=\w)")  # "don't" is not "don t"
_KEPT_APOSTROPHE = "\ue000"  # a private letter stands for it while punctuation goes; such letters are dropped before

_PLACES = (range(0x20, 0x3100), range(0xFE00, 0x10000))  # where punctuation is, but for that of dead scripts
_SPACED = {
    point: " "
    for places in _PLACES
    for point in places
    if (point < 0x7F and not chr(point).isalnum()) or unicodedata.category(chr(point)).startswith("P")
}
_NOTHING = (range(0x09), range(0x0B, 0x0D), range(0x0E, 0x20), range(0x7F, 0xA0), range(0xE000, 0xF900))
_DROPPED = dict.fromkeys([*(point for points in _NOTHING for point in points), 0x200B, 0x200E, 0x200F, 0xFEFF])


def without_links(text: str) -> str:
    """The text with a space for each address."""
    return _LINK.sub(" ", text)


def clean(text: str) -> str:
    """Without addresses, RT and cc, hashtags, mentions, punctuation and needless spaces. Emoji stay: they tell.

    "" if nothing is left.
    """
    text = without_links(html.unescape(text).translate(_DROPPED))
    text = _TAGGED.sub(" ", _FORWARDED.sub(" ", text))
    text = _APOSTROPHE.sub(_KEPT_APOSTROPHE, text).translate(_SPACED)
    return " ".join(text.replace(_KEPT_APOSTROPHE, "'").split())
