"""A user's own settings file around our hosts, under the name that `iop` gives it."""

import subprocess
import sys
from pathlib import Path

from acceptance.running import PROJECT

FILE = """
from iop import Production

import bo

mine = Production("My.Own", testing_enabled=True)
mine.operation("Python.HFOperation", bo.HFOperation, settings={"%settings": "timeout=5"})
PRODUCTIONS = [mine]
"""
STARTED = """
import sys
from irislite.testing import running
with running(sys.argv[1], home=sys.argv[2]) as production:
    print(production.name)
"""


def test_a_settings_file_is_called_settings(tmp_path: Path) -> None:
    # In a process of its own, where nothing of ours was imported before the file.
    (tmp_path / "settings.py").write_text(FILE)
    done = subprocess.run(
        [sys.executable, "-c", STARTED, str(tmp_path / "settings.py"), str(tmp_path / "home")],
        capture_output=True, text=True, env={"PYTHONPATH": str(PROJECT / "src" / "python")}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "My.Own"
