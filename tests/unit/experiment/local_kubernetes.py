"""Kubernetes' API as far as a launcher asks it: Jobs, their pods and logs; a pod's container is a process here."""

import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from unit.experiment.serving import Container, moment

Answer = tuple[int, Any]
MISSING_IMAGE, NO_NODE = "registry.example/missing:1", "gpu"


@dataclass
class _Pod:
    name: str
    container: Container | None
    waiting: dict[str, str] | None = None
    pending: str = ""
    at_s: float = field(default_factory=time.time)


@dataclass
class _Job:
    manifest: dict[str, Any]
    pods: list[_Pod] = field(default_factory=list)


class LocalKubernetes:
    """`jobs` by namespace and name. `trouble` is answered instead, request by request; `bodies` are what was created."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str], _Job] = {}
        self.bodies: list[dict[str, Any]] = []
        self.trouble: list[Answer] = []
        self.token = ""
        self._guard = threading.Lock()

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> Answer:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._guard:
            self.token = headers.get("Authorization", "")
            if self.trouble:
                return self.trouble.pop(0)
            for pattern, handle in (
                (r"/apis/batch/v1/namespaces/([^/]+)/jobs(?:/([^/]+))?(?:/status)?", self._job),
                (r"/api/v1/namespaces/([^/]+)/pods", self._pods),
                (r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/log", self._log),
            ):
                if found := re.fullmatch(pattern, parts.path):
                    return handle(method, query, body, *found.groups())  # type: ignore[operator]
        return refusal(404, "NotFound", f"no {path} here")

    def _job(self, method: str, query: dict[str, str], body: bytes, namespace: str, name: str | None) -> Answer:
        if method == "POST":
            return self._create(namespace, json.loads(body))
        key = (namespace, str(name))
        if key not in self.jobs:
            return refusal(404, "NotFound", f'jobs.batch "{name}" not found')
        if method == "DELETE":
            for pod in self.jobs.pop(key).pods:
                if pod.container is not None:
                    pod.container.kill()
            return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        return 200, self._shown(self.jobs[key])

    def _create(self, namespace: str, manifest: dict[str, Any]) -> Answer:
        name = manifest["metadata"]["name"]
        if (namespace, name) in self.jobs:
            return refusal(409, "AlreadyExists", f'jobs.batch "{name}" already exists')
        if namespace == "forbidden":
            return refusal(403, "Forbidden", "jobs.batch is forbidden: User cannot create resource in this namespace")
        self.bodies.append(manifest)
        job = self.jobs[namespace, name] = _Job(manifest)
        self._begin(job)
        return 201, self._shown(job)

    def _begin(self, job: _Job) -> None:
        spec = job.manifest["spec"]["template"]["spec"]
        container, name = spec["containers"][0], f"{job.manifest['metadata']['name']}-{len(job.pods)}"
        if container["image"] == MISSING_IMAGE:
            waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{MISSING_IMAGE}"'}
            job.pods.append(_Pod(name, None, waiting=waiting))
        elif NO_NODE in spec.get("nodeSelector", {}):
            job.pods.append(_Pod(name, None, pending="0/3 nodes are available: 3 node(s) didn't match node selector"))
        else:
            environment = {one["name"]: one["value"] for one in container["env"] if one["name"] != "HOME"}
            job.pods.append(_Pod(name, Container(container["command"], environment)))

    def _shown(self, job: _Job) -> dict[str, Any]:
        """The Job with its status, as it is now; a failed pod is tried again as often as it may be."""
        codes = [pod.container.exit_code for pod in job.pods if pod.container is not None]
        failed = sum(1 for code in codes if code)
        conditions = []
        if any(code == 0 for code in codes):
            conditions = [{"type": "Complete", "status": "True"}]
        elif failed > job.manifest["spec"]["backoffLimit"]:
            conditions = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
                           "message": "Job has reached the specified backoff limit"}]  # fmt: skip
        elif failed == len(job.pods):
            self._begin(job)
        return {**job.manifest, "status": {"conditions": conditions, "failed": failed}}

    def _pods(self, method: str, query: dict[str, str], body: bytes, namespace: str) -> Answer:
        name = query["labelSelector"].partition("batch.kubernetes.io/job-name=")[2]
        job = self.jobs.get((namespace, name))
        return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": {},
                     "items": [_shown_pod(pod) for pod in job.pods] if job else []}  # fmt: skip

    def _log(self, method: str, query: dict[str, str], body: bytes, namespace: str, name: str) -> Answer:
        pod = next((pod for job in self.jobs.values() for pod in job.pods if pod.name == name), None)
        if pod is None or pod.container is None:
            return refusal(404, "NotFound", f'pods "{name}" not found')
        since_s = time.time() - int(query["sinceSeconds"]) if "sinceSeconds" in query else 0.0
        return 200, "".join(f"{moment(at_s)} {line}\n" for at_s, line in list(pod.container.lines) if at_s >= since_s)


def _shown_pod(pod: _Pod) -> dict[str, Any]:
    status: dict[str, Any] = {"phase": "Pending"}
    state: dict[str, Any] = {}
    if pod.pending:
        status["conditions"] = [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": pod.pending}
        ]
    elif pod.container is None:
        state = {"waiting": pod.waiting}
    elif (code := pod.container.exit_code) is None:
        status["phase"], state = "Running", {"running": {"startedAt": "2026-11-21T10:00:00Z"}}
    else:
        reason = {0: "Completed", 137: "OOMKilled"}.get(code, "Error")
        last = "\n".join(line for _, line in pod.container.lines[-3:])
        status["phase"] = "Failed" if code else "Succeeded"
        state = {"terminated": {"exitCode": code, "reason": reason, "message": last}}
    if state:
        status["containerStatuses"] = [
            {"name": "step", "state": state, "ready": False, "restartCount": 0, "image": "i", "imageID": "i"}
        ]
    created = moment(pod.at_s)[:19] + "Z"
    return {"metadata": {"name": pod.name, "creationTimestamp": created}, "spec": {"containers": []}, "status": status}


def refusal(status: int, reason: str, message: str) -> Answer:
    """An error as the API answers it."""
    return status, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status,
                    "message": message}  # fmt: skip
