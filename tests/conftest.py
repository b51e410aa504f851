"""What holds for all tests."""

import os
import tempfile
from pathlib import Path

# Before torch is loaded; see bo.py.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What tests spend is not what the user of this folder spent.
_folder = tempfile.TemporaryDirectory(prefix="evergreen-tests-")
os.environ["EVERGREEN_ENERGY_BOOK"] = str(Path(_folder.name) / "book.db")
