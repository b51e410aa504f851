"""The addresses: old ones lead on, the description of the API is complete."""

import pytest
import requests

from runtime.web.sample import Site


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/", "/production"),
        ("/csp/irisapp/EnsPortal.ProductionConfig.zen?PRODUCTION=iris.Production", "/production?name=iris.Production"),
        ("/CSP/IRISAPP/ensportal.productionconfig.ZEN?production=A%26B", "/production?name=A%26B"),
        ("/csp/user/EnsPortal.ProductionConfig.zen", "/production"),
    ],
)
def test_addresses_that_lead_on(site: Site, path: str, leads_to: str) -> None:
    answer = requests.get(site.url + path, allow_redirects=False, timeout=60)
    assert answer.status_code == 307
    assert answer.headers["Location"] == leads_to


def test_pages_that_load_from_the_internet_are_off(site: Site) -> None:
    for path in ("/docs", "/redoc"):
        assert requests.get(site.url + path, timeout=60).status_code == 404


def test_every_operation_is_described(site: Site) -> None:
    paths = site.call("GET", "/openapi.json").json()["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len(operations) > 30
    assert all(operation.get("description") for operation in operations)
    for path, methods in paths.items():
        if path.startswith("/api/irislite"):
            for method, operation in methods.items():
                answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
                assert answers and all("schema" in content for answer in answers for content in
                                       answer.get("content", {}).values()), f"{method} {path}"  # fmt: skip


def test_an_unknown_address_is_told_in_json(site: Site) -> None:
    answer = site.call("GET", "/api/iop/nothing")
    assert answer.status_code == 404
    assert "/openapi.json" in answer.json()["error"]
    assert site.call("GET", "/api/iop/stop").status_code == 405
