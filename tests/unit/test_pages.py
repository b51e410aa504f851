"""The parts of docs/ that come from the code are as the code says."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("pages", ROOT / "scripts" / "pages.py")
pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pages)


def test_the_settings_page_is_up_to_date() -> None:
    assert (ROOT / "docs/settings.md").read_text() == pages.settings_page(), "run: python scripts/pages.py"


def test_the_state_picture_is_up_to_date() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    assert "Queued --> Delivered" in page
    assert page == pages.with_state_picture(page), "run: python scripts/pages.py"


def test_every_variable_that_the_code_reads_is_on_the_page() -> None:
    sources = "".join(file.read_text() for file in (ROOT / "src/python").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\s*[\"']([A-Z][A-Z_]+)[\"']", sources))
    documented = {name for name, _, _ in pages.RUNTIME}
    of_others = {"IOP_URL", "PATH", "HF_TOKEN", "CUDA_VISIBLE_DEVICES", "RANK", "KUBERNETES_SERVICE_HOST"}
    assert read - documented - of_others == set()


def test_the_tree_names_every_module_of_the_runtime() -> None:
    tree = (ROOT / "docs/architecture.md").read_text().partition("└── irislite/\n")[2].partition("\n\n")[0]
    named = set(tree.replace("/", " ").split())
    modules = {path.stem for path in (ROOT / "src/python/irislite").glob("*.py")} - {"__init__"}
    assert modules - named == set(), "name it in the tree of docs/architecture.md"


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name)
def test_what_a_page_links_to_exists(page: Path) -> None:
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("http")]
    assert [link for link in links if not (page.parent / link).exists()] == []
    if page.name == "README.md":  # it leads to every page
        assert {f"docs/{other.name}" for other in ROOT.glob("docs/*.md")} - set(links) == set()
