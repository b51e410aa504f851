"""The parts of docs/ that come from the code are as the code says."""

import importlib.util
from pathlib import Path

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
    import re

    sources = "".join(file.read_text() for file in (ROOT / "src/python").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\s*[\"']([A-Z][A-Z_]+)[\"']", sources))
    documented = {name for name, _, _ in pages.RUNTIME}
    assert read - documented - {"IOP_URL", "PATH", "HF_TOKEN"} == set()
