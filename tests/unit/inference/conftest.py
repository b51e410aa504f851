"""What the tests of `inference` share: the tiny models, a server for anything, and no way out to the network."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny_models
from unit.inference.local_server import Server, serving


@pytest.fixture(scope="session")
def model_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with every tiny model, as it would lie in src/model; not to be changed."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny models gain nothing from more, and lose much on a busy machine
    root = tmp_path_factory.mktemp("model")
    for kind in tiny_models.KINDS:
        tiny_models.build(kind, root / kind)
    yield root
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this machine answers; a test that tries to leave it fails."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as served:
        yield served
