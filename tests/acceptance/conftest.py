"""One production for all acceptance tests; its first start runs the main job."""

from collections.abc import Iterator

import pytest

from acceptance.engines import IRIS, NAMES, Engine
from acceptance.running import Server, make_root, served


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A production after its first start: the main job has run, the tuned model answers."""
    with served(make_root(tmp_path_factory.mktemp("root")), demo=True) as server:
        server.wait_for("The main job took", 900)
        yield server


@pytest.fixture(scope="session", params=NAMES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """A production to speak to through what all engines have; on IRIS too where IOP_URL names one."""
    return IRIS if request.param == "iris" else request.getfixturevalue("server")
