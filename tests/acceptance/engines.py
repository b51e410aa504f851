"""The engines that the same acceptance tests run on: irislite always, InterSystems IRIS where IOP_URL says where it is."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests


class Engine(Protocol):
    """A running production, spoken to through what both engines have: `iop`'s REST service and command line."""

    @property
    def models(self) -> Path | None:
        """The folder of the models, if these tests can look into it."""

    def call(self, method: str, path: str, **values: Any) -> requests.Response: ...

    def test(self, target: str, classname: str, body: Any) -> Any: ...

    def refusal(self, target: str, classname: str, body: Any) -> str: ...

    def iop(self, *arguments: str) -> str: ...


@dataclass(frozen=True)
class Iris:
    """InterSystems IRIS with this production, as docs/iris.md starts it."""

    url: str
    username: str
    password: str
    namespace: str
    models: Path | None = None

    @classmethod
    def of_environment(cls) -> "Iris":
        """The one that the variables of `iop` name, taken out of them: no other test shall meet it."""
        names = {"IOP_URL": "", "IOP_USERNAME": "SuperUser", "IOP_PASSWORD": "SYS", "IOP_NAMESPACE": "IRISAPP"}
        url, *others = (os.environ.pop(name, default) for name, default in names.items())
        return cls(url.rstrip("/"), *others)

    def call(self, method: str, path: str, **values: Any) -> requests.Response:
        fields = {"params": {"namespace": self.namespace}, "timeout": 300} | values
        return requests.request(method, self.url + path, auth=(self.username, self.password), **fields)

    def _asked(self, target: str, classname: str, body: Any) -> requests.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        fields = {"target": target, "classname": classname, "body": text, "restart": False}
        return self.call("POST", "/api/iop/test", json=fields | {"namespace": self.namespace})

    def test(self, target: str, classname: str, body: Any) -> Any:
        answer = self._asked(target, classname, body)
        assert answer.ok, answer.text
        return answer.json()

    def refusal(self, target: str, classname: str, body: Any) -> str:
        answer = self._asked(target, classname, body)
        assert not answer.ok, answer.text
        return answer.json()["error"]

    def iop(self, *arguments: str) -> str:
        environment = os.environ | {
            "IOP_URL": self.url,
            "IOP_USERNAME": self.username,
            "IOP_PASSWORD": self.password,
            "IOP_NAMESPACE": self.namespace,
        }
        command = [sys.executable, "-m", "iop", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


IRIS = Iris.of_environment() if os.environ.get("IOP_URL") else None
NAMES = ["irislite", "iris"] if IRIS else ["irislite"]
