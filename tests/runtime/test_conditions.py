"""The language of searches: what is read, what is refused, and with which words."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irislite.conditions import Condition, Query, moment
from irislite.errors import BadRequest
from irislite.searchclauses import LOG, MESSAGES


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", ""),
        ("status=error", "status=Error"),
        ("tea", "body~tea"),
        ("status=Error item=A", "status=Error and item=A"),
        ("status = Error AND item != A or tea", "status=Error and item!=A or body~tea"),
        (r'body~"say \"hi\" \\ or"', r'body~"say \"hi\" \\ or"'),
        ('item="or"', 'item="or"'),
        ('item=", <b>"', 'item=", <b>"'),
        ("created>=-2h and took>10.5", "created>=-2h and took>10.5"),
    ],
)
def test_what_is_written_is_read(text: str, read: str) -> None:
    query = MESSAGES.parse(text)
    assert str(query) == read
    assert MESSAGES.parse(read) == query


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stat=Error", "Is 'status' meant"),
        ("status=Wrong", "never 'Wrong': use Created, Queued"),
        ("status~Err", "cannot be compared by '~': use = !="),
        ("tea and", "ends with 'and' or 'or'"),
        ("or tea", "has 'or' where a condition belongs"),
        ("tea and or milk", "has 'or' where a condition belongs"),
        ('body~"tea', "close the quotes"),
        ("created>=yesterday", "no time for created: write 2026"),
        ("created>=-999999d", "no time for created"),
        ("id=ten", "id is a number"),
        ("id=1e999", "id is a number"),
        ("took>nan", "took is a number"),
        ('item=""', "has 0 characters"),
        (" ".join(["tea"] * 31), "write at most 30"),
        ("item=\ud800", "half a character"),
    ],
)
def test_what_cannot_be_read_says_what_to_write(text: str, told: str) -> None:
    with pytest.raises(BadRequest, match=told.replace("?", r"\?")):
        MESSAGES.parse(text)


_conditions = st.one_of(
    st.builds(lambda sign, value: Condition(MESSAGES.fields["body"], sign, value), st.sampled_from(["~", "!~"]),
              st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)),
    st.builds(lambda sign, value: Condition(MESSAGES.fields["id"], sign, str(value)), st.sampled_from(["=", "<", ">="]),
              st.integers(-(2**60), 2**60)),
    st.builds(lambda value: Condition(MESSAGES.fields["status"], "=", value), st.sampled_from(["Error", "Queued"])),
)  # fmt: skip


@given(st.lists(st.lists(_conditions, min_size=1, max_size=3), max_size=3))
def test_every_query_is_read_back_from_its_text(groups: list[list[Condition]]) -> None:
    query = Query(tuple(tuple(group) for group in groups))
    assert MESSAGES.parse(str(query)) == query


@given(st.text(max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        LOG.parse(text)
    except BadRequest as error:
        assert str(error)


def test_times() -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    assert moment("-90m", now) == "2026-11-21 10:30:00.000000"
    assert moment("2026-11-21T12:00+02:00") == "2026-11-21 10:00:00.000000"
    assert moment("2026-11-21") == "2026-11-21 00:00:00.000000"
