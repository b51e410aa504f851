"""The GPU of this process, asked for while torch is not there, or not yet whole."""

import sys
from types import ModuleType

import pytest

from energy import board


@pytest.mark.parametrize("parts", [(), ("cuda",)])
def test_half_of_torch_uses_no_gpu(monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...]) -> None:
    """Another thread is loading torch: it is among the modules, and has next to nothing in it."""
    half = ModuleType("torch")
    for part in parts:
        setattr(half, part, ModuleType(part))
    monkeypatch.setitem(sys.modules, "torch", half)
    assert not board.in_use()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert board._identity("cuda:1") == "1"
