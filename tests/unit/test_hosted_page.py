"""docs/hosted.md says what the code does."""

import dataclasses
import inspect
import json
import re
from pathlib import Path

import bo
import msg
from inference.hosted.hosting import Hosting
from inference.hosted.request import Request
from inference.hosted.tasks import find

PAGE = (Path(__file__).parents[2] / "docs" / "hosted.md").read_text()


def rows(heading: str) -> list[str]:
    """The first cells of the first table after a heading."""
    return re.findall(r"^\| `(\w+)` \|", PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0], re.MULTILINE)


def test_the_examples_are_requests() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        request = Request.parse(json.loads(block))
        assert not request.task or find(request.task)


def test_every_setting_and_every_field_is_there() -> None:
    declared = {name: default for name, _type, default, *_ in bo.HFOperation._get_properties()}
    own = set(inspect.signature(Hosting.parse).parameters)
    assert set(rows("Settings")) == own
    assert Hosting.parse(**{name: declared[name] for name in own}) == Hosting.parse()
    fields = {field.name for field in dataclasses.fields(msg.HFRequest)} - {"api_url", "payload"}
    assert set(rows("By name")) == fields
    assert {field.name for field in dataclasses.fields(Request)} == fields | {"api_url", "payload"}
