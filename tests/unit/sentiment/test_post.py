"""What is a post and what is not; the rules that select; settings."""

import json

import pytest

from sentiment.errors import BadSetting, Unreadable
from sentiment.options import Options
from sentiment.post import Entry, Post, read
from sentiment.selection import Selection, Skipped


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"not JSON", "no JSON"),
        (b'{"text": "half', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"text": "\xff\xfe"}', "no UTF-8"),
        (b'"only a text"', "is a str"),
        (b"[1, 2]", "is a list"),
        (b"{}", "no text"),
        (b'{"text": "   "}', "no text"),
        (b'{"text": 5}', "no text"),
        (b'{"txt": "a"}', "no text"),
        (json.dumps({"text": "x" * 1_000_000}).encode(), "1,000,000 characters"),
        (b'{"text": "a", "id": {}}', "id"),
        (b'{"text": "a", "id": true}', "id"),
        (json.dumps({"text": "a", "id": "x" * 201}).encode(), "id"),
        (b'{"text": "a", "id": ' + b"9" * 5_000 + b"}", "no JSON"),
        (b'{"text": "a", "lang": 1}', "lang"),
        (b'{"text": "\\ud83d"}', "surrogate"),
    ],
    ids=range(19),
)
def test_what_is_no_post_says_why_and_what_to_do(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as raised:
        read(body, 10_000)
    assert ": " in str(raised.value)


def test_a_post_and_its_unknown_fields() -> None:
    found = read('{"id": 7, "text": "Grüße 😀", "lang": "DE", "colour": 1, "weight": 2}'.encode(), 100)
    assert (found.id, found.text, found.language, found.repost) == ("7", "Grüße 😀", "de", False)
    assert found.ignored == ("colour", "weight")
    assert read(b'{"full_text": "an old tweet"}', 100).text == "an old tweet"


def test_what_is_skipped() -> None:
    rules = Selection(Options.parse({"keywords": "tea, coffee", "languages": "en"}))

    def of(**post: object) -> Post | Skipped:
        return rules.of(Entry("1-0", json.dumps(post).encode(), 5))

    assert of(text="RT @ann: tea") == of(text="tea", repost=True) == of(text="tea", retweeted_status={"id": 1})
    assert of(text="RT @ann: tea") == Skipped("repost")
    assert of(text="water") == Skipped("keyword")
    assert of(text="#tea") == Skipped("empty")
    assert of(text="le tea", lang="fr") == Skipped("language")
    kept = of(text="Good #tea!", lang="en-GB", id=9)
    assert isinstance(kept, Post)
    assert (kept.text, kept.original, kept.keyword, kept.id, kept.language) == ("Good", "Good #tea!", "tea", "9", "en")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("fr", "J'adore vraiment le café de ce matin, merci à toute l'équipe"),
        ("de", "Schon wieder eine Stunde Verspätung, ich habe genug davon"),
        ("es", "La biblioteca nueva es una maravilla para los niños"),
        ("ja", "今日の天気は本当に素晴らしいです"),
        ("en", "I really love the library on Mill Street, well done"),
        ("en", "ok lol"),
    ],
)
def test_the_language_is_told_by_the_words(language: str, text: str) -> None:
    rules = Selection(Options.parse({"languages": "en"}))
    found = rules.of(Entry("1-0", json.dumps({"text": text}).encode(), 5))
    assert isinstance(found, Post) == (language == "en")


def test_a_repeated_file_brings_other_posts() -> None:
    rules = Selection(Options())
    first, again = (rules.of(Entry("1-0", b'{"text": "a", "id": 3}', 5, lap=lap)) for lap in (0, 1))
    assert isinstance(first, Post)
    assert isinstance(again, Post)
    assert (first.id, again.id) == ("3", "3/1")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"batchsize": "5"}, "batch_size is one"),
        ({"batch_size": "many"}, "no whole number"),
        ({"batch_size": "2.5"}, "no whole number"),
        ({"batch_size": "0"}, "too small"),
        ({"rate": "fast"}, "no number"),
        ({"rate": "-1"}, "no number"),
        ({"repeat": "perhaps"}, "neither true nor false"),
        ({"source": "twitter"}, "none of file, stream, http"),
        ({"duplicates": "some"}, "none of post, text, none"),
        ({"redis_url": "http://localhost"}, "no address of a Redis"),
        ({"redis_url": "redis://:hidden@localhost:6379"}, "REDIS_PASSWORD"),
        ({"redis_url": "redis://localhost?password=hidden"}, "REDIS_PASSWORD"),
        ({"redis_url": "redis://[::1"}, "no address"),
        ({"prefix": ""}, None),
    ],
    ids=range(14),
)
def test_settings_are_checked(settings: dict[str, str], told: str | None) -> None:
    if told is None:
        assert Options.parse(settings).prefix == Options().prefix  # an empty text is the default
        return
    with pytest.raises(BadSetting, match=told) as raised:
        Options.parse(settings)
    assert "hidden" not in str(raised.value)


def test_settings_are_typed() -> None:
    options = Options.parse(
        {"keywords": " tea, ,coffee ", "rate": "0", "repeat": "False", "batch_size": "32", "max_age_s": "1"}
    )
    assert options.keywords == ("tea", "coffee")
    assert (options.rate, options.repeat, options.batch_size, options.max_age_s) == (0.0, False, 32, 1.0)
