"""Which hosts may be called, and where the key comes from and never goes."""

import json
import logging
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.errors import EndpointError, HostNotAllowed
from inference.hosted.hosting import Hosting
from inference.hosted.rules import ALLOWED_HOSTS, Hosts, choose_key
from unit.inference.hosted_server import Provider, Reply, as_json, serving
from unit.inference.local_server import Request

KEY = "hf_ThisIsTheSecretKey"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving() as served:
        yield served


@pytest.mark.parametrize(
    ("scheme", "host", "port", "allowed"),
    [
        ("https", "router.huggingface.co", None, True),
        ("https", "api-inference.huggingface.co", 443, True),
        ("https", "abc.eu-west-1.aws.endpoints.huggingface.cloud", None, True),
        ("http", "127.0.0.1", 8080, True),
        ("http", "localhost", None, True),
        ("https", "::1", None, True),
        ("http", "router.huggingface.co", None, False),
        ("https", "huggingface.co", None, False),
        ("https", "endpoints.huggingface.cloud", None, False),
        ("https", "router.huggingface.co.evil.com", None, False),
        ("https", "evilrouter.huggingface.co", None, False),
        ("https", "xendpoints.huggingface.cloud", None, False),
        ("http", "169.254.169.254", None, False),
        ("http", "127.1", None, False),
        ("http", "localhost.evil.com", None, False),
        ("https", "router.huggingface.co.", None, False),
        ("https", "", None, False),
    ],
)
def test_the_hosts_that_are_allowed_by_default(scheme: str, host: str, port: int | None, allowed: bool) -> None:
    assert Hosts.parse(ALLOWED_HOSTS).allow(scheme, host, port) is allowed


def test_hosts_of_ones_own() -> None:
    hosts = Hosts.parse("models.example:8443, http://tgi.internal,*.lab.example [::1]:80")
    assert hosts.allow("https", "models.example", 8443)
    assert not hosts.allow("https", "models.example", None)
    assert hosts.allow("http", "tgi.internal", 8080)
    assert hosts.allow("https", "a.b.lab.example", None)
    assert not hosts.allow("http", "a.lab.example", None)
    assert not Hosts.parse("").allow("https", "router.huggingface.co", None)
    with pytest.raises(HostNotAllowed, match=r"not encrypted.*write http://a\.lab\.example in the setting"):
        raise hosts.refusal("http", "a.lab.example", None)


def test_where_the_key_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    vault = {"team": "hf_vault"}.get

    def chosen(typed: str = "", credential: str = "") -> str:
        return choose_key(typed, credential, vault, lines.append)

    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert chosen() == ""
    monkeypatch.setenv("HF_TOKEN", " hf_environment\n")
    assert chosen() == "hf_environment"
    assert chosen(credential="team") == "hf_vault"
    monkeypatch.setenv("HF_TOKEN_TEAM", "hf_named")
    assert chosen(credential="team") == "hf_named"
    assert chosen("hf_typed", "team") == "hf_typed"
    assert chosen("-----", "team") == "hf_named"
    monkeypatch.setenv("HF_TOKEN_MY_TEAM_2", "hf_second")
    assert chosen(credential="my team-2") == "hf_second"
    with pytest.raises(EndpointError, match=r"There is no credential 'other'\. On IRIS .* HF_TOKEN_OTHER"):
        chosen(credential="other")
    assert not any("hf_" in line for line in lines)


@pytest.mark.parametrize("key", ["hf_a b", "hf_a\nHost: evil", "hf_ä", "hf_\x00"])
def test_a_key_that_cannot_be_one(provider: Provider, key: str) -> None:
    with pytest.raises(EndpointError, match="letters that no key has") as caught:
        Hosting.parse().call({"api_url": provider.url, "payload": "a", "api_key": key})
    assert key not in str(caught.value)
    assert provider.requests == []


@pytest.mark.parametrize("source", ["message", "credential", "HF_TOKEN"])
def test_no_key_goes_to_a_host_that_is_not_allowed(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    fields = {"api_url": f"{provider.url}/models/x", "payload": "a"}
    if source == "message":
        fields["api_key"] = KEY
    if source == "HF_TOKEN":
        monkeypatch.setenv("HF_TOKEN", KEY)
    settings = {"credential": "team"} if source == "credential" else {}
    monkeypatch.setenv("HF_TOKEN_TEAM", KEY)
    with pytest.raises(HostNotAllowed) as caught:
        Hosting.parse(allowed_hosts="router.huggingface.co", **settings).call(fields)
    assert KEY not in str(caught.value)
    for model in (provider.url, f"{provider.url}/v1"):
        with pytest.raises(HostNotAllowed):
            Hosting.parse(allowed_hosts="router.huggingface.co", **settings).call(
                {"model": model, "task": "text-generation", "inputs": "a", "api_key": fields.get("api_key", "")}
            )
    assert provider.requests == []
    Hosting.parse(**settings)
    provider.answer = lambda _: as_json({})
    Hosting.parse(**settings).call(fields)
    assert provider.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_key_of_another_company_does_not_leave_either(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client would call such a provider directly: its host is not allowed."""
    monkeypatch.setenv("HF_ENDPOINT", provider.url)
    provider.serve("org/other-key", "conversational", "together")
    hosting = Hosting.parse(router=provider.url, failure_timeout=0)
    request = {"model": "org/other-key", "inputs": "a", "api_key": "tgp_secret"}
    with pytest.raises(HostNotAllowed, match=r"api\.together\.xyz is not one of the hosts"):
        hosting.call({**request, "provider": "together"})
    with pytest.raises(EndpointError, match=r"not one of Hugging Face's \(hf_\.\.\.\)"):
        hosting.call(request)
    assert provider.posts == []


def test_nothing_that_is_told_holds_the_key(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lines: list[str] = []

    def echo(request: Request) -> Reply:
        return as_json({"error": f"you sent {request.headers['Authorization']}"}, 400)

    provider.answer = echo
    fields = {"api_url": f"{provider.url}/x", "payload": "a", "api_key": KEY}
    with pytest.raises(EndpointError, match="you sent Bearer <key>") as caught:
        Hosting.parse().call(fields, log=lines.append)
    assert KEY not in "".join(traceback.format_exception(caught.value))

    provider.answer = lambda request: as_json({request.headers["Authorization"]: [request.headers["Authorization"]]})
    assert Hosting.parse().call(fields, log=lines.append).output == {"Bearer <key>": ["Bearer <key>"]}
    assert KEY not in caplog.text

    provider.answer = lambda request: Reply(503, reason=request.headers["Authorization"])
    with pytest.raises(EndpointError, match="<key>") as caught:
        Hosting.parse(failure_timeout=0.7).call(fields, log=lines.append)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert any("<key>" in line for line in lines), "a wait is logged, with what the server said"
    assert not any(KEY in line for line in lines)


def test_a_login_of_this_machine_is_not_used(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hugging Face's client finds tokens by itself; the gate lets the item's own key pass alone."""
    import huggingface_hub.utils._auth as auth

    monkeypatch.setattr(auth, "_get_token_from_file_refreshed", lambda: "hf_of_the_machine")
    provider.answer = lambda _: as_json([{"label": "A", "score": 1.0}])
    Hosting.parse().call({"model": provider.url, "task": "text-classification", "inputs": "a"})
    assert "Authorization" not in provider.posts[0].headers


def test_calls_at_the_same_time_keep_their_keys_apart(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", provider.url)
    hosting = Hosting.parse(router=provider.url)

    def echo(request: Request) -> Reply:
        body = json.loads(request.body)
        own = body.get("inputs") or body["messages"][0]["content"]
        assert request.headers["Authorization"] == f"Bearer hf_{own}"
        return as_json({"id": own, "choices": []})

    def call(number: int) -> bool:
        own, key = f"number{number}", f"hf_number{number}"
        if number % 2:
            return hosting.call({"model": "a/b", "task": "chat", "inputs": own, "api_key": key}).output["id"] == own
        return hosting.call({"api_url": provider.url, "payload": own, "api_key": key}).output["id"] == own

    provider.answer = echo
    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(call, range(60)))
    assert len(provider.posts) == 60
