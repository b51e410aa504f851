"""The main job, through the messages a user would send: train, compare, promote, ask."""

import json
import os
import time
from pathlib import Path
from typing import Any

import requests

import msg

TUNING, MODEL = "Python.TuningOperation", "Python.MLOperation"
TRAIN, QUESTION = msg.TrainRequest.EXAMPLE, msg.MLRequest.EXAMPLE
TIMEOUT_S = 900
DONE = "main-job-done"  # in the data folder: the first start has done the main job


class DemoError(RuntimeError):
    """A step of the main job did not succeed."""


class Client:
    """A running production, over its REST service."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url.rstrip("/")
        self._auth = (os.environ.get("IRISUSERNAME") or "SuperUser", _password(home))

    def send(self, target: str, classname: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send a request, print the item's log while it works, and return session id and response."""
        body = {"target": target, "classname": classname, "body": fields, "restart": False, "wait": False}
        sent = self._call("POST", "/api/iop/test", json=body)
        seen, deadline = 0, time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            session = self._call("GET", f"/api/irislite/sessions/{sent['session_id']}")
            for line in session["log"][seen:]:
                print(f"      {line['text']}", flush=True)
            seen = len(session["log"])
            request = next(message for message in session["messages"] if message["id"] == sent["message_id"])
            if request["status"] == "Error":
                raise DemoError(f"{target} answered: {request['error_text']}")
            if request["status"] in ("Suspended", "Discarded", "Aborted"):
                raise DemoError(
                    f"The request to {target} is {request['status']}: see {self.trace(sent['session_id'])}."
                )
            if request["status"] == "Completed":
                answer = next(m for m in session["messages"] if m["id"] == request["corresponding_message_id"])
                return sent["session_id"], answer["body"]["content"]
            time.sleep(0.5)
        raise DemoError(f"{target} did not answer within {TIMEOUT_S} s: see {self.trace(sent['session_id'])}.")

    def trace(self, session_id: int) -> str:
        """The address of a session's Visual Trace."""
        return f"{self.url}/trace?session={session_id}"

    def _call(self, method: str, path: str, **values: Any) -> Any:
        try:
            answer = requests.request(method, self.url + path, auth=self._auth, timeout=30, **values)
        except requests.ConnectionError as error:
            raise DemoError(f"Nothing answers at {self.url}: start the production with `make run` first.") from error
        except requests.RequestException as error:
            raise DemoError(f"{self.url} did not answer: {error}. Try again.") from error
        if answer.status_code == 401:
            raise DemoError("The sign-in was refused: set IRISUSERNAME and IRISPASSWORD as for `make run`.")
        if not answer.ok:
            raise DemoError(f"{path}: {answer.json().get('error', answer.text)}")
        return answer.json()


def run(url: str, home: Path) -> None:
    """Do the main job and print each step with a link to its trace. Raises `DemoError`."""
    client = Client(url, home)
    began = time.monotonic()

    print(f"1/3   Train on {TRAIN['limit']} rows of {TRAIN['table']}: {json.dumps(TRAIN)}", flush=True)
    session, trained = client.send(TUNING, "msg.TrainRequest", TRAIN)
    report = trained["output"]
    print(f"      {'':14}{'old':>8}{'new':>8}")
    for name in ("accuracy", "f1_macro", "loss"):
        print(f"      {name:14}{report['old_metrics'][name]:8.3f}{report['new_metrics'][name]:8.3f}")
    print(f"      {report['verdict']}\n      {client.trace(session)}\n", flush=True)

    print("2/3   Promote: msg.OverrideRequest {}", flush=True)
    session, _ = client.send(TUNING, "msg.OverrideRequest", {})
    print(f"      {client.trace(session)}\n", flush=True)

    print(f"3/3   Ask the new model: msg.MLRequest {json.dumps(QUESTION)}", flush=True)
    session, answer = client.send(MODEL, "msg.MLRequest", QUESTION)
    print(f"      {json.dumps(answer['output'])}\n      {client.trace(session)}\n")
    if home.is_dir():
        (home / DONE).touch()
    print(f"The main job took {time.monotonic() - began:.0f} s. `make demo` does it again.\n", flush=True)


def run_quietly(url: str, home: Path) -> None:
    """The same beside a server that has just started: a failure is told and does not stop it."""
    try:
        run(url, home)
    except DemoError as error:
        print(f"The main job stopped: {error}\n`make demo` tries again.", flush=True)


def _password(home: Path) -> str:
    password = os.environ.get("IRISPASSWORD")
    if password:
        return password
    file = home / "password"
    if not file.is_file():
        raise DemoError(f"There is no password: set IRISPASSWORD, or start the production, which keeps one in {file}.")
    return file.read_text(encoding="utf-8").strip()
