"""Every route asked by schemathesis with what its description allows, and with what it does not."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode, openapi
from schemathesis.specs.openapi import checks

from application.conftest import Site

EXAMPLES = 6  # for each route and mode
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
STREAMS = ("/events", "/generate")  # they last; they have tests of their own


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_route_keeps_to_its_description(site: Site, mode: GenerationMode) -> None:
    headers = {"Authorization": f"Bearer {site.keys['administrator']}"}
    schema = openapi.from_url(f"{site.url}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        if not operation.path.endswith(STREAMS):
            _ask(operation, mode, headers)
    with site.client() as client:
        assert client.post("/api/v1/models/labels/predict", json={"inputs": "good"}).status_code == 200


def _ask(operation: APIOperation, mode: GenerationMode, headers: dict[str, str]) -> None:
    asked = CHECKS if mode is GenerationMode.NEGATIVE else CHECKS[:-1]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(mode))
    def checked(case: Case) -> None:
        response = case.call(headers=headers, timeout=30)
        assert response.status_code != 500, response.text
        assert response.headers["x-request-id"]
        case.validate_response(response, checks=asked)

    with suppress(Unsatisfiable):  # a route that takes nothing cannot be asked wrongly
        checked()
