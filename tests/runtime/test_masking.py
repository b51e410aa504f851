"""Secrets never reach the disk."""

import json

import pytest

from irislite.masking import MASK, masked, masked_setting


@pytest.mark.parametrize("name", ["api_key", "apikey", "API_KEY", "hub_token", "password", "client_secret"])
def test_a_secret_is_replaced_at_any_depth(name: str) -> None:
    content = json.dumps({"a": [{name: "hush"}], name: "hush", "text": "the key to it"})
    assert json.loads(masked(content)) == {"a": [{name: MASK}], name: MASK, "text": "the key to it"}


@pytest.mark.parametrize("content", ['{"inputs": "a key"}', "no json: password", '{"max_tokens": 5}', '{"token": ""}'])
def test_everything_else_stays(content: str) -> None:
    assert masked(content) == content or json.loads(masked(content)) == json.loads(content)


def test_names_are_read_however_they_are_written() -> None:
    content = json.dumps({"accessToken": "a", "x-api-key": ["b"], "token": 5, "hubToken": {"value": "c"}})
    assert json.loads(masked(content)) == {
        "accessToken": MASK, "x-api-key": [MASK], "token": 5, "hubToken": {"value": MASK},
    }  # fmt: skip


def test_a_setting_is_shown_without_its_secrets() -> None:
    assert masked_setting("%settings", "name=gpt2\napi_key=hush\nx") == f"name=gpt2\napi_key={MASK}\nx"
    assert masked_setting("hub_token", "hush") == MASK
    assert masked_setting("name", "gpt2") == "gpt2"
    assert masked_setting("name", None) == "(default)"
