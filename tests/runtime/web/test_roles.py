"""Every route, asked by each role: who lacks the role is refused before anything happens."""

import importlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from fastapi.routing import iter_route_contexts

import production
from irislite.actor import Role
from irislite.director import Director
from irislite.web import roles
from irislite.web.accounts import Accounts
from irislite.web.app import create_api
from runtime.web.sample import PASSWORD, Site, write_production

PEOPLE = {role: f"the {role.word}'s own" for role in Role}
# What changes nothing but the user's own searches, although it is no GET; a statement of SQL is looked at.
VIEWERS_MAY = {
    "POST /api/irislite/sql/query", "POST /api/irislite/sql/export", "POST /api/irislite/sql/preview",
    "PUT /api/irislite/searches/{room}/{name}", "DELETE /api/irislite/searches/{room}/{name}",
}  # fmt: skip
# What administrators alone may, beside changing what is not declared.
ADMINISTRATORS_ALONE = {
    "DELETE /api/iop/binding", "PUT /api/iop/migrate", "PUT /api/atelier/v1/{namespace}/doc/{name}",
    "POST /api/atelier/v1/{namespace}/action/compile", "POST /api/irislite/purge", "POST /api/irislite/backup",
    "GET /api/irislite/system/users", "POST /api/irislite/system/users", "PATCH /api/irislite/system/users/{name}",
    "PUT /api/irislite/system/users/{name}/password", "DELETE /api/irislite/system/users/{name}",
    "GET /api/irislite/system/credentials", "PUT /api/irislite/system/credentials/{name}",
    "DELETE /api/irislite/system/credentials/{name}", "GET /api/irislite/system/audit",
    "GET /api/irislite/system/audit/export", "DELETE /api/irislite/items/{name}",
}  # fmt: skip


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, serving: Callable[[Any], str]
) -> Iterator[tuple[Site, list[tuple[str, str, Role]]]]:
    """A server with a user of each role, and its operations with the role that each needs."""
    folder, module = tmp_path_factory.mktemp("roles"), f"roles_{uuid.uuid4().hex}"
    director = Director(folder / "home", synchronous="NORMAL")
    accounts = Accounts.open(folder / "home", "SuperUser", PASSWORD)
    for role, password in PEOPLE.items():
        accounts.made_users().add(role.word, role, password)
    try:
        director.start(director.load(write_production(folder, "Roles.P", module)))
        rooms = [importlib.import_module(name).ROOM for name in production.ROOMS]
        app = create_api(director, accounts, rooms=rooms)
        site = Site(serving(app), director, accounts, "Roles.P", module, folder)
        yield site, operations(app)
    finally:
        director.close()


def operations(app: Any) -> list[tuple[str, str, Role]]:
    """Method, path and needed role of every operation, described or not."""
    return [
        (method, context.path_format, roles.needed(context.endpoint, method))
        for context in iter_route_contexts(app.routes)
        for method in sorted(context.methods or ())
        if context.path_format.startswith("/api/") and context.path_format != "/api/{path}"
    ]


def ask(site: Site, role: Role, method: str, path: str) -> requests.Response:
    """The operation, with a body that none takes: whoever may is told that, and nothing happens."""
    address = site.url + path.replace("{namespace}", "USER")
    address = address.replace("{name}", "nobody").replace("{message_id}", "1").replace("{session_id}", "1")
    body: Any = {"json": ["what no operation takes"]} if method in ("POST", "PUT", "PATCH") else {}
    return requests.request(method, address, auth=(role.word, PEOPLE[role]), timeout=60, **body)


def test_every_operation_refuses_who_lacks_its_role(guarded: tuple[Site, list[tuple[str, str, Role]]]) -> None:
    site, found = guarded
    assert len(found) > 50
    wrong = []
    for method, path, needed in found:
        for role in Role:
            status = ask(site, role, method, path).status_code
            if (status == 403) != (role < needed) or status in (401, 500):
                wrong.append(f"{role.word} {method} {path}: {status}")
    assert wrong == []


def test_the_roles_are_those_that_were_meant(guarded: tuple[Site, list[tuple[str, str, Role]]]) -> None:
    _, found = guarded
    by_role = {role: {f"{method} {path}" for method, path, needed in found if needed is role} for role in Role}
    assert {name for name in by_role[Role.VIEWER] if not name.startswith("GET ")} == VIEWERS_MAY
    assert by_role[Role.ADMINISTRATOR] == ADMINISTRATORS_ALONE
    assert {"POST /api/iop/test", "POST /api/iop/stop", "POST /api/irislite/messages/resend"} <= by_role[Role.OPERATOR]


def test_a_route_that_declares_nothing_is_for_administrators_if_it_changes_something() -> None:
    def route() -> None: ...

    assert [roles.needed(route, method) for method in ("GET", "HEAD")] == [Role.VIEWER] * 2
    assert [roles.needed(route, method) for method in ("POST", "PUT", "PATCH", "DELETE")] == [Role.ADMINISTRATOR] * 4
    assert roles.needed(None, "POST") is Role.ADMINISTRATOR


def test_the_description_names_the_role_of_each_operation(guarded: tuple[Site, list[tuple[str, str, Role]]]) -> None:
    site, found = guarded
    paths = site.call("GET", "/openapi.json").json()["paths"]
    for method, path, needed in found:
        assert paths[path][method.lower()]["x-role"] == needed.word


def test_what_is_refused_says_why_and_is_in_the_audit(guarded: tuple[Site, list[tuple[str, str, Role]]]) -> None:
    site, _ = guarded
    answer = ask(site, Role.VIEWER, "POST", "/api/iop/stop")
    assert "needs the role operator, and viewer has the role viewer" in answer.json()["error"]
    entry = site.director.audit.entries(1)[0]
    assert (entry.user, entry.role, entry.via, entry.outcome) == ("viewer", "viewer", "REST", "refused")
    assert (entry.action, entry.target) == ("Stop the running production; what is queued stays queued", "/api/iop/stop")
