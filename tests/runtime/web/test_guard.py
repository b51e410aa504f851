"""What a request has to pass before it reaches a route."""

import base64
import http.client
from collections.abc import Callable
from typing import Any

import pytest
import requests

from irislite.web.accounts import Accounts
from irislite.web.app import create_api
from irislite.web.guard import _credentials, allowed_hosts
from runtime.web.sample import PASSWORD, Site

JSON = {"Content-Type": "application/json"}


def port_of(site: Site) -> int:
    return int(site.url.rpartition(":")[2])


@pytest.mark.parametrize(
    "path", ["/api/iop/status", "/api/iop/nothing", "/api/irislite/items", "/openapi.json", "/api", "/api/"]
)
def test_no_api_without_the_account(site: Site, path: str) -> None:
    answer = requests.get(site.url + path, timeout=60)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert "Sign in" in answer.json()["error"]
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("header", ["", "Basic", "Basic %%%", "Basic bm9jb2xvbg==", f"Bearer {PASSWORD}"])
def test_what_is_no_basic_authorization_is_refused(site: Site, header: str) -> None:
    assert requests.get(f"{site.url}/api/iop/status", headers={"Authorization": header}, timeout=60).status_code == 401


def test_a_password_with_umlauts_in_both_encodings() -> None:
    for encoding in ("utf-8", "latin-1"):
        header = "Basic " + base64.b64encode("Ada:Löwe:1".encode(encoding)).decode()
        assert _credentials(header) == ("Ada", "Löwe:1")


def test_wrong_passwords_have_to_wait(site: Site, serving: Callable[[Any], str]) -> None:
    accounts = Accounts("SuperUser", PASSWORD, "secret")
    url = serving(create_api(site.director, accounts)) + "/api/iop/status"
    answers = [requests.get(url, auth=("SuperUser", "guess"), timeout=60) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "1"
    assert "try again in 1 s" in answers[-1].json()["error"]
    assert requests.get(url, auth=("SuperUser", PASSWORD), timeout=60).status_code == 429


def test_health_needs_no_account(site: Site) -> None:
    answer = requests.get(f"{site.url}/healthz", timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:52795", 200), ("127.0.0.1:1", 200), ("[::1]:52795", 200), ("localhost.", 200),
        ("evil.example", 421), ("localhost.evil.example", 421), ("localhost@evil.example", 421), ("[::1", 421),
        ("", 421),
    ],
)  # fmt: skip
def test_only_known_hosts_are_answered(site: Site, host: str, status: int) -> None:
    assert requests.get(f"{site.url}/healthz", headers={"Host": host}, timeout=60).status_code == status


def test_more_hosts_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRISLITE_ALLOWED_HOSTS", "Tuner.example, other")
    assert {"tuner.example", "other", "0.0.0.0", "localhost"} <= allowed_hosts("0.0.0.0")


def test_a_page_of_another_site_cannot_change_anything(site: Site) -> None:
    path = "/api/iop/update"
    assert site.call("POST", path, headers=JSON | {"Origin": "https://evil.example"}).status_code == 403
    assert site.call("POST", path, headers=JSON | {"Origin": "null"}).status_code == 403
    assert site.call("DELETE", "/api/iop/binding", headers={"Origin": "https://evil.example"}).status_code == 403
    assert site.call("POST", path, headers=JSON | {"Origin": "http://localhost:1"}).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_a_body_that_is_not_json_is_refused(site: Site, media_type: str) -> None:
    answer = site.call("POST", "/api/iop/stop", data="{}", headers={"Content-Type": media_type})
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["error"]
    assert site.director.status()["status"] == "running"


def test_a_large_body_is_refused_before_it_is_sent(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(site), timeout=60)
    token = base64.b64encode(f"SuperUser:{PASSWORD}".encode()).decode()
    headers = {**JSON, "Content-Length": "40000000", "Authorization": f"Basic {token}"}
    connection.request("POST", "/api/iop/test", headers=headers)
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"larger than" in answer.read()
    connection.close()


def test_a_large_body_without_a_length_is_refused_too(site: Site) -> None:
    answer = site.call("POST", "/api/iop/test", data=iter([b"[" + b" " * 600_000, b" " * 600_000]), headers=JSON)
    assert answer.status_code == 413
