"""docs/api.md says what is: its routes, its variables, and its examples against a running server."""

import re
from pathlib import Path

import pytest

from api.keys import ROLES
from application.conftest import Site

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_route_is_on_the_page(site: Site) -> None:
    with site.client() as client:
        described = client.get("/api/v1/openapi.json").json()["paths"]
    for path in described:
        if path.startswith("/v2"):
            continue
        last = path.removeprefix("/api/v1/").rpartition("/")[2]
        assert (last in PAGE) or last.strip("{}_id") in PAGE, path
    for path in re.findall(r"`(?:GET|POST) (/api/v1/\S+?)`", PAGE):
        plain = re.sub(r"\{[^}]+\}", "{}", path)
        assert plain in {re.sub(r"\{[^}]+\}", "{}", known) for known in described}, path


def test_every_role_is_on_the_page() -> None:
    assert re.findall(r"^\| (predictor|viewer|operator|administrator) \|", PAGE, re.MULTILINE) == list(ROLES)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_run(site: Site, block: str, capsys: pytest.CaptureFixture[str]) -> None:
    block = block.partition('    for piece in evergreen.generate("gpt2"')[0]  # test_generation.py has a model for it
    for ours, theirs in (
        ("http://localhost:52795", site.url), ("localhost:52795", site.url.removeprefix("http://")),
        ("all-MiniLM-L6-v2", "labels"), ("egk_...", site.keys["operator"]),
    ):  # fmt: skip
        block = block.replace(ours, theirs)
    exec(block, {})
    assert "bad" in capsys.readouterr().out
