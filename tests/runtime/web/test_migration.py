"""Code that is sent over: names that are refused, code that replaces code."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from runtime.web.sample import COMPONENTS, PRODUCTION, Site


class Project:
    """A project that is migrated, again and again."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.module = f"sent_{uuid.uuid4().hex}"
        self.production = f"Sent.P{self.module[5:13]}"
        self.package = self.module

    def send(self, components: str = COMPONENTS, **fields: Any) -> requests.Response:
        body = [
            {"name": "settings.py", "data": PRODUCTION.format(module=f"plant.{self.module}", name=self.production)},
            {"name": f"plant/{self.module}.py", "data": components},
        ]
        return self.site.call("PUT", "/api/iop/migrate", json={"package": self.package, "body": body, **fields})


@pytest.fixture(scope="module")
def project(site: Site) -> Project:
    return Project(site)


def test_code_is_sent_and_sent_again(site: Site, project: Project) -> None:
    answer = project.send(remote_folder="/opt/irisapp")
    assert answer.status_code == 200, answer.text
    assert answer.json()["production"] == project.production and answer.json()["files"] == 2
    folder = site.director.home / "migrated" / project.package
    assert str(folder) in answer.json()["warnings"][0]
    site.call("POST", "/api/iop/stop", json={})
    site.call("POST", "/api/iop/start", json={"production": project.production})
    site_module = f"plant.{project.module}"
    body = {"target": "Greeter", "classname": f"{site_module}.Ask", "body": {"text": "you"}, "restart": False}
    try:
        assert "Hello you" in site.call("POST", "/api/iop/test", json=body).json()["body"]
        answer = project.send(COMPONENTS.replace("Hello", "Moin!"))  # the running production takes it at once
        assert answer.json()["warnings"] == []
        assert "Moin! you" in site.call("POST", "/api/iop/test", json=body).json()["body"]
        answer = project.send("this is no Python")
        assert answer.status_code == 409 and "SyntaxError" in answer.json()["error"]
        assert "Moin!" in (folder / "plant" / f"{project.module}.py").read_text()  # what ran is still there
        site.director.restart_item("Greeter")
        assert "Moin! you" in site.call("POST", "/api/iop/test", json=body).json()["body"]
        assert sorted(path.name for path in folder.parent.iterdir()) == [project.package]
        on_init = "    def on_init(self):\n        raise OSError('no')\n\n"
        broken = COMPONENTS.replace("    greeting =", f"{on_init}    greeting =")
        answer = project.send(broken)
        assert "Greeter could not be started: OSError: no" in answer.json()["warnings"][0]
    finally:
        site.call("POST", "/api/iop/stop", json={})
        site.call("POST", "/api/iop/start", json={"production": site.production})


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py", "/tmp/evil.py", "a/../../evil.py", "a//evil.py", "./evil.py", "C:/evil.py", "a\\..\\evil.py",
        "evil\0.py", "evil.sh", "evil.py/", "a/" * 25 + "evil.py", "x" * 300 + ".py", "", "settings.py/evil.py",
    ],
)  # fmt: skip
def test_names_that_are_not_allowed(site: Site, name: str) -> None:
    before = sorted(path for path in site.director.home.parent.rglob("*.py"))
    files = [{"name": "settings.py", "data": "PRODUCTIONS = []"}, {"name": name, "data": "raise SystemExit"}]
    answer = site.call("PUT", "/api/iop/migrate", json={"package": "evil", "body": files})
    assert answer.status_code == 400, answer.text
    assert sorted(path for path in site.director.home.parent.rglob("*.py")) == before


@pytest.mark.parametrize("package", ["..", ".", "a/b", "/tmp", "", "a..b", ".hidden", "a\0b"])
def test_packages_that_are_not_allowed(site: Site, package: str) -> None:
    body = {"package": package, "body": [{"name": "settings.py", "data": ""}]}
    assert site.call("PUT", "/api/iop/migrate", json=body).status_code == 400


def test_uploads_that_are_not_whole(site: Site) -> None:
    for body, status in (
        ({"body": [{"name": "other.py", "data": ""}]}, 400),
        ({"body": [{"name": "other.py", "data": ""}], "settings_file": "../other.py"}, 400),
        ({"body": []}, 422),
        ({"body": [{"name": "settings.py", "data": 7}]}, 422),
        ({}, 422),
    ):
        assert site.call("PUT", "/api/iop/migrate", json=body).status_code == status
    names_nothing = {"package": "empty", "body": [{"name": "settings.py", "data": "PRODUCTIONS = []"}]}
    answer = site.call("PUT", "/api/iop/migrate", json=names_nothing)
    assert answer.status_code == 409 and "names no production" in answer.json()["error"]
    assert not (site.director.home / "migrated" / "empty").exists()


def test_a_setting_turns_it_off(site: Site, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRISLITE_ALLOW_MIGRATE", "0")
    answer = project.send()
    assert answer.status_code == 403
    assert "IRISLITE_ALLOW_MIGRATE" in answer.json()["error"]


def test_the_runtime_itself_cannot_be_replaced(site: Site) -> None:
    import irislite.director as before

    names = ("settings.py", "irislite/director.py", "requests.py")
    files = [{"name": name, "data": "PRODUCTIONS = []"} for name in names]
    site.call("PUT", "/api/iop/migrate", json={"package": "evil", "body": files})
    import irislite.director as after

    assert after is before and requests.__file__ and not Path(requests.__file__).is_relative_to(site.director.home)


def test_another_project_with_the_same_names_leaves_what_runs_alone(site: Site) -> None:
    """Files of other projects are called as those of the one that runs: its modules stay its own."""
    other = (
        f"import {site.module} as c\nfrom iop import Production\n\np = Production('Other.Production')\n"
        "p.operation('Other', c.Other)\nPRODUCTIONS = [p]\n"
    )
    code = "from iop import BusinessOperation\n\n\nclass Other(BusinessOperation):\n    pass\n"
    body = [{"name": f"{site.module}_settings.py", "data": other}, {"name": f"{site.module}.py", "data": code}]
    fields = {"package": f"other_{site.module}", "settings_file": f"{site.module}_settings.py", "body": body}
    answer = site.call("PUT", "/api/iop/migrate", json=fields)
    assert answer.json()["production"] == "Other.Production", answer.text
    site.director.restart_item("Greeter")
    assert "Hello you" in site.test("you").json()["body"]
