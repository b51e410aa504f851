"""What of a post's text the model reads, and what keywords see."""

import time

import pytest

from sentiment.cleaning import clean
from sentiment.keywords import NONE, Keywords


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Lovely tea https://x.org/a?b=1 today", "Lovely tea today"),
        ("see www.example.org!", "see"),
        ("RT @ann: so good", "so good"),
        ("so good cc @ann", "so good"),
        ("success, accents and ARTS stay", "success accents and ARTS stay"),
        ("#sad @bob", ""),
        ("what a day #sun #sea", "what a day"),
        ("I don't like it", "I don't like it"),
        ("I don’t like ‘it’", "I don't like it"),
        ("tea &amp; coffee &lt;3", "tea coffee 3"),
        ("  many \n\t spaces  ", "many spaces"),
        ("wow 😀👩‍👧 great!!!", "wow 😀👩‍👧 great"),
        ("c'est… «bien», non ?", "c'est bien non"),
        ("素晴らしい、天気。", "素晴らしい 天気"),
        ("a\x00b\ufeffc\x07", "abc"),
        ("!!! ... ???", ""),
        ("", ""),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_long_text_is_cleaned_in_time() -> None:
    began_s = time.process_time()  # of this work alone: tests share their machine
    for text in ("a" * 10**6, "#" * 10**6, "'a" * 500_000, "http" * 250_000, "@ " * 500_000):
        clean(text)
    assert time.process_time() - began_s < 3


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("Tea is fine", "tea"),
        ("#Tea!", "tea"),
        ("teapot", None),
        ("https://example.org/tea", None),
        ("trains in the night", None),
        ("the night and a TRAIN", "night train"),
        ("彼は東京にいる", "東京"),
        ("coffee and tea", "tea"),
        ("nothing of it", None),
    ],
)
def test_keywords(text: str, keyword: str | None) -> None:
    assert Keywords(["tea", "night train", "東京"]).of(text) == keyword


def test_without_keywords_all_posts_count() -> None:
    assert Keywords([]).of("anything") == NONE == "None"
