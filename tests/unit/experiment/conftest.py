"""What the tests of `experiment` share: a server that speaks as Amazon's do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Aws:
    """A local server of S3, SageMaker and CloudWatch. The variables of the credentials are set while it runs."""

    url: str

    def client(self, service: str) -> Any:
        """A client of one of its services."""
        import boto3

        return boto3.client(service, endpoint_url=self.url)


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST"), ("AWS_SECRET_ACCESS_KEY", "not-a-secret-of-anybody"),
            ("AWS_DEFAULT_REGION", "eu-central-1"), ("AWS_EC2_METADATA_DISABLED", "true"),
        ):  # fmt: skip
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        try:
            yield Aws(f"http://{host}:{port}")
        finally:
            server.stop()
