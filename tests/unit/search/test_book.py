"""ISBN, years and subjects as people write them."""

import pytest

from search.book import has, isbn_13, tag, tags, year


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("9780140328721", "9780140328721"),
        ("978-0-14-032872-1", "9780140328721"),
        ("0140328726", "9780140328721"),
        ("0-14-032872-6", "9780140328721"),
        ("080442957X", "9780804429573"),
        ("080442957x", "9780804429573"),
        ("0140328727", None),
        ("9780140328720", None),
        ("1234", None),
        ("none", None),
        ("", None),
    ],
)
def test_both_kinds_of_isbn_are_one_number(text: str, found: str | None) -> None:
    assert isbn_13(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2013", 2013),
        ("October 1, 2013", 2013),
        ("c2014.", 2014),
        ("[2015?]", 2015),
        ("2016-05", 2016),
        ("20170304", 2017),
        ("1999, 2018", 1999),
        ("20th century", None),
        ("9999", None),
        ("12345", None),
        ("", None),
    ],
)
def test_the_year_is_the_first_in_the_date(text: str, found: int | None) -> None:
    assert year(text) == found


def test_nonfiction_is_not_fiction() -> None:
    for text in ("Nonfiction", "Non-fiction", "non fiction", "Creative nonfiction", "Fictional characters"):
        assert not has(tag(text), "fiction"), text
    for text in ("Fiction", "FICTION / General", "Science fiction.", "Love stories -- Fiction"):
        assert has(tag(text), "fiction"), text


def test_a_subject_is_found_whole_by_part_and_by_word() -> None:
    found = tags(["Science fiction, American", "Children's stories"])
    assert {"science fiction american", "science fiction", "american", "science", "children stories"} <= set(found)


def test_a_tag_holds_nothing_that_means_something_to_a_database() -> None:
    assert tag("x' OR 1=1 --\"%\\") == "x or 1 1"
