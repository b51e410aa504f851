"""The conformance script says what it lacks before it runs anything."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("conformance", SCRIPTS / "conformance.py")
    conformance = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "conformance", conformance)
    spec.loader.exec_module(conformance)
    (tmp_path / "src" / "tests" / "e2e").mkdir(parents=True)
    monkeypatch.setattr(conformance, "NEEDED", {"a-package-of-none": "a_package_of_none"})
    with pytest.raises(SystemExit):
        conformance.main([str(tmp_path)])
    assert "`pip install a-package-of-none` first" in capsys.readouterr().err
