"""What holds for all tests."""

import os

# Before torch is loaded; see bo.py.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
