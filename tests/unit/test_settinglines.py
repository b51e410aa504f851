"""Text from settings becomes typed values."""

import pytest

import settinglines


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), (" 5 ", 5), ("-1", -1), ("0.01", 0.01), ("1e-4", 1e-4), (".5", 0.5), ("true", True), ("False", False),
        ("none", None), ("null", None), ("[1, 2]", [1, 2]), ('{"a": 1}', {"a": 1}), ('"5"', "5"), ("simple", "simple"),
        ("1_000", "1_000"), ("nan", "nan"), ("{broken", "{broken"), ("", ""), ("+", "+"), (7, 7), (None, None),
    ],
)  # fmt: skip
def test_typed(text: object, value: object) -> None:
    result = settinglines.typed(text)
    assert result == value
    assert type(result) is type(value)


def test_lines_are_split_at_the_first_equals_sign_and_lose_carriage_returns() -> None:
    text = "name=gpt2\r\nmodel_url=https://x/y?a=b\n\n=nothing\nflag"
    pairs = settinglines.parse_lines(text)
    assert pairs == {"name": "gpt2", "model_url": "https://x/y?a=b", "flag": ""}
    assert settinglines.parse_lines(settinglines.format_lines(pairs)) == pairs
