"""What operators do with messages, over HTTP."""

from runtime.web.sample import Site
from waiting import eventually

BASE = "/api/irislite"


def act(site: Site, verb: str, **body) -> list[dict]:
    return site.call("POST", f"{BASE}/messages/{verb}", json=body).json()


def test_messages_are_suspended_resubmitted_resent_and_given_up(site: Site) -> None:
    busy = site.director.test_async("Greeter", f"{site.module}.Ask", '{"text": "sleep 3"}').id
    eventually(lambda: busy in site.director.router.queue("Greeter").claimed)
    first, second, third, fourth = (
        site.director.test_async("Greeter", f"{site.module}.Ask", f'{{"text": "{text}"}}').id for text in "abcd"
    )
    outcomes = act(site, "suspend", ids=[first, second, busy])
    assert [outcome["done"] for outcome in outcomes] == [True, True, False] and outcomes[2]["reason"]
    found = site.call("GET", f"{BASE}/messages", params={"target": "Greeter", "status": "Suspended"}).json()
    assert [message["id"] for message in found] == [second, first]
    assert act(site, "discard", ids=[second])[0]["done"]
    assert act(site, "abort", ids=[third])[0]["done"]
    assert site.call("POST", f"{BASE}/items/Greeter/abort", json={}).json() == {"aborted": 1}
    assert site.call("GET", f"{BASE}/messages/{fourth}").json()["status"] == "Aborted"
    assert act(site, "resubmit", ids=[first])[0]["done"]
    eventually(lambda: site.director.store.response_to(first))
    (resent,) = act(site, "resend", ids=[first], content={"text": "edited"})
    eventually(lambda: site.director.store.response_to(resent["new_id"]))
    message = site.call("GET", f"{BASE}/messages/{resent['new_id']}").json()
    assert message["body"]["content"] == {"text": "edited"}
    assert message["description"] == f"Resent from message {first}"


def test_wrong_input_is_refused(site: Site) -> None:
    assert site.call("POST", f"{BASE}/messages/resend", json={"ids": []}).status_code == 422
    assert site.call("POST", f"{BASE}/items/Nobody/abort", json={}).status_code == 404
    assert not act(site, "abort", ids=[10**9])[0]["done"]
