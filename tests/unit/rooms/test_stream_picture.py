"""The picture of the room Stream, from counts by minute."""

from rooms.stream import picture


def counts(total: list[int], positive: list[int]) -> dict[str, list[int]]:
    return {"total": total, "positive": positive}


def test_the_largest_keywords_have_a_line_each_and_the_others_one() -> None:
    keywords = {f"word {place}": counts([place], [place]) for place in range(1, 9)}
    lines = picture.by_keyword(keywords, 1)
    assert [name for name, _ in lines] == ["word 8", "word 7", "word 6", "word 5", "word 4", "3 others"]
    assert all(shares == [100.0] for _, shares in lines)


def test_a_point_is_of_the_last_minutes_and_none_where_nothing_was() -> None:
    total, positive = [0, 10, 0, 0, 0, 0, 0, 4], [0, 10, 0, 0, 0, 0, 0, 1]
    assert picture.by_keyword({"None": counts(total, positive)}, 8) == [
        ("all posts", [None, 100.0, 100.0, 100.0, 100.0, 100.0, None, 25.0])
    ]


def test_bars_add_up_to_all_posts() -> None:
    found = {"minutes": [7, 8], "keywords": {"a": counts([3, 0], [1, 0]), "b": counts([2, 5], [2, 0])}}
    made = picture.options(found, "A title")
    bars = {series["name"]: series["data"] for series in made["series"] if series["type"] == "bar"}
    assert bars == {"positive": [[420_000, 3], [480_000, 0]], "negative": [[420_000, 2], [480_000, 5]]}
    assert made["tooltip"]["renderMode"] == "richText"
