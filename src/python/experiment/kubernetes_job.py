"""Steps as Jobs of Kubernetes: a manifest made of the settings, created through the API, followed by its pods' logs.

The container finds data, code and settings in the experiment's storage: an object store, or a volume that is mounted in
the pod where it is mounted here. No secret is in the manifest: SECRET names the one whose entries become variables.
"""

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from experiment.errors import LaunchFailed, PackageMissing
from experiment.following import State, Unreachable, follow
from experiment.launching import Job
from experiment.settings import Settings

USER = 10001  # of the image, without rights
_PLAN = "evergreen/plan"  # the hash of what a Job was asked for
_SECRET_LIKE = re.compile(r"(?i)(secret|token|password|passwd|(^|_)key($|_))")
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "CreateContainerConfigError",
                       "CreateContainerError", "RunContainerError"})  # fmt: skip
_GONE_S = 60.0  # how long an old Job of the same name may take to go
_REQUEST_S = 30.0


class KubernetesJob:
    """Runs steps as Jobs, as the section [kubernetes] of the settings says."""

    def __init__(self, settings: Settings) -> None:
        def said(key: str) -> Any:
            return settings.get(f"kubernetes.{key}")

        if not said("IMAGE"):
            raise LaunchFailed("IMAGE of [kubernetes] is empty: give the image with this project in settings.ini.")
        if "://" not in settings.address and not said("VOLUME_CLAIM"):
            raise LaunchFailed(
                f"A pod does not see the folder {settings.address}: set ROOT of [storage] to an object store, or "
                "VOLUME_CLAIM of [kubernetes] to the claim of the volume that is mounted here."
            )
        self._said, self._address, self._experiment = said, settings.address, settings.name

    def launch(self, job: Job, told: Callable[[str], None], stop_asked: Callable[[], bool]) -> None:
        """Run the Job and wait for it; one that a process before this one left running is waited for instead.

        Raises `LaunchFailed` with the cluster's reason, `Cancelled`, and `PackageMissing` without the client.
        """
        with _connection() as api:
            remote = _Remote(api, str(self._said("NAMESPACE")), job.name)
            try:
                remote.begin(self.manifest(job), told)
            except Unreachable as error:
                raise LaunchFailed(
                    f"The cluster cannot be reached: {error}. Run the step again, which finds its Job."
                ) from error
            follow(remote, float(self._said("POLL_S")), told, stop_asked)

    def manifest(self, job: Job) -> dict[str, Any]:
        """The Job, as its API takes it."""
        labels = {
            "app.kubernetes.io/name": "evergreen-experiment",
            "app.kubernetes.io/component": job.step,
            "app.kubernetes.io/instance": job.name,
        }
        spec = {
            "backoffLimit": self._said("BACKOFF_LIMIT"),
            "activeDeadlineSeconds": self._said("MAX_RUNTIME_S"),
            "ttlSecondsAfterFinished": self._said("TTL_S"),
            "template": {"metadata": {"labels": labels}, "spec": self._pod(job)},
        }
        plan = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
        metadata = {
            "name": job.name,
            "namespace": self._said("NAMESPACE"),
            "labels": labels,
            "annotations": {"evergreen/experiment": self._experiment, _PLAN: plan},
        }
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}

    def _pod(self, job: Job) -> dict[str, Any]:
        account, selector, gpus = (self._said(key) for key in ("SERVICE_ACCOUNT", "NODE_SELECTOR", "GPU"))
        volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
        if "://" not in self._address:
            volumes.append({"name": "experiments", "persistentVolumeClaim": {"claimName": self._said("VOLUME_CLAIM")}})
        pod: dict[str, Any] = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,  # a step asks the cluster nothing
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self._container(job)],
            "volumes": volumes,
        }
        if account:
            pod["serviceAccountName"] = account
        if selector:
            pod["nodeSelector"] = _pairs(selector)
        if gpus:
            pod["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
        return pod

    def _container(self, job: Job) -> dict[str, Any]:
        for name in filter(_SECRET_LIKE.search, job.environment):
            raise LaunchFailed(
                f"{name} would be readable in the Job's manifest: put it into the Secret that SECRET names."
            )
        resources: dict[str, Any] = {"cpu": str(self._said("CPU")), "memory": str(self._said("MEMORY"))}
        limits = {"memory": resources["memory"]}
        if gpus := self._said("GPU"):
            limits["nvidia.com/gpu"] = str(gpus)
        mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 (the pod's own)
        if "://" not in self._address:
            mounts.append({"name": "experiments", "mountPath": str(PurePosixPath(self._address).parent)})
        environment = {"HOME": "/tmp", "PYTHONUNBUFFERED": "1", **job.environment}  # noqa: S108
        secret = self._said("SECRET")
        return {
            "name": "step",
            "image": self._said("IMAGE"),
            "command": list(job.command),
            "env": [{"name": name, "value": value} for name, value in environment.items()],
            **({"envFrom": [{"secretRef": {"name": secret}}]} if secret else {}),
            "resources": {"requests": resources, "limits": limits},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": mounts,
        }


class _Remote:
    """A Job of the cluster."""

    def __init__(self, api: Any, namespace: str, name: str) -> None:
        from kubernetes import client

        self._jobs, self._pods = client.BatchV1Api(api), client.CoreV1Api(api)
        self._namespace, self._name = namespace, name
        self._read_s: dict[str, float] = {}
        self._newest: dict[str, str] = {}
        self.where = f"Job {name} in the namespace {namespace}"

    def begin(self, manifest: dict[str, Any], told: Callable[[str], None]) -> None:
        """Create it; one of the same plan that is at work is left at it, one that has ended makes room."""
        found = self._found()
        plan = manifest["metadata"]["annotations"][_PLAN]
        if found is not None and not _ended(found):
            if (found.metadata.annotations or {}).get(_PLAN) != plan:
                raise LaunchFailed(
                    f"A {self.where} is at work with other settings. Wait for it, or remove it: "
                    f"kubectl delete job {self._name} -n {self._namespace}."
                )
            told(f"The {self.where} is at work already: it is waited for.")
            return
        if found is not None:
            self.stop()
            self._wait_until_gone()
        with _refusing("create the Job"):
            self._jobs.create_namespaced_job(self._namespace, manifest, _request_timeout=_REQUEST_S)
        told(f"The cluster has taken the {self.where}.")

    def state(self) -> State:
        """As `RemoteJob.state`."""
        found = self._found()
        if found is None:
            return State("gone", True, "somebody removed it. Run the step again.")
        for condition in found.status.conditions or []:
            if condition.status == "True" and condition.type in ("Complete", "SuccessCriteriaMet"):
                return State("completed", condition.type == "Complete")
            if condition.status == "True" and condition.type == "Failed":
                return State("failed", True, self._why(condition))
        pods = self._its_pods()
        for pod in pods:
            for waiting in _waiting(pod):
                if waiting.reason in _HOPELESS:
                    self.stop()
                    return State(
                        "failed", True,
                        f"{waiting.reason}: {waiting.message or 'the container cannot start'}. Correct [kubernetes] in "
                        "settings.ini, then run the step again.",
                    )  # fmt: skip
        return State(_words(pods))

    def lines(self) -> list[str]:
        """As `RemoteJob.lines`: what its pods wrote since the last call."""
        return [line for pod in self._its_pods() if _has_begun(pod) for line in self._written(pod.metadata.name)]

    def stop(self) -> None:
        """As `RemoteJob.stop`: it is removed with its pods."""
        with _refusing("remove the Job", missing_is_fine=True):
            self._jobs.delete_namespaced_job(
                self._name, self._namespace, propagation_policy="Background", _request_timeout=_REQUEST_S
            )

    def _found(self) -> Any:
        with _refusing("show the Job", missing_is_fine=True):
            return self._jobs.read_namespaced_job(self._name, self._namespace, _request_timeout=_REQUEST_S)
        return None

    def _its_pods(self) -> list[Any]:
        with _refusing("list the Job's pods"):
            found = self._pods.list_namespaced_pod(
                self._namespace, label_selector=f"batch.kubernetes.io/job-name={self._name}",
                _request_timeout=_REQUEST_S,
            )  # fmt: skip
        return sorted(found.items, key=lambda pod: pod.metadata.creation_timestamp or datetime.min.replace(tzinfo=UTC))

    def _written(self, pod: str) -> list[str]:
        """New lines: asked for by their age, told apart by their times, which the cluster puts before them."""
        now_s = time.monotonic()
        age: dict[str, Any] = {}
        if pod in self._read_s:
            age["since_seconds"] = math.ceil(now_s - self._read_s[pod]) + 5
        text = ""
        with _refusing("give a pod's log", missing_is_fine=True):
            text = self._pods.read_namespaced_pod_log(
                pod, self._namespace, container="step", timestamps=True, _request_timeout=_REQUEST_S, **age
            )
        self._read_s[pod] = now_s
        lines = []
        for line in (text or "").splitlines():
            moment, _, content = line.partition(" ")
            if moment > self._newest.get(pod, ""):
                self._newest[pod] = moment
                lines.append(content)
        return lines

    def _why(self, condition: Any) -> str:
        """Why it failed: the cluster's reason, and what the container said last."""
        said = []
        for pod in self._its_pods()[-1:]:
            for status in pod.status.container_statuses or []:
                if (ended := status.state.terminated) is not None and ended.exit_code:
                    reason = f"{ended.reason or 'Error'}, exit code {ended.exit_code}"
                    last = (ended.message or "").strip().splitlines()[-1:]
                    more = "; it needs more than MEMORY allows" if ended.reason == "OOMKilled" else ""
                    said.append(": ".join([reason, *last]) + more)
        advice = "Correct what it says, then run the step again."
        return " ".join([f"{condition.reason} ({condition.message}).", *(f"{one}." for one in said), advice])

    def _wait_until_gone(self) -> None:
        until_s = time.monotonic() + _GONE_S
        while self._found() is not None:
            if time.monotonic() > until_s:
                raise LaunchFailed(
                    f"The {self.where} has ended and does not go away: remove it, then run the step again."
                )
            time.sleep(0.2)


def _ended(job: Any) -> bool:
    return any(one.status == "True" and one.type in ("Complete", "Failed") for one in job.status.conditions or [])


def _waiting(pod: Any) -> Iterator[Any]:
    for status in pod.status.container_statuses or []:
        if status.state is not None and status.state.waiting is not None:
            yield status.state.waiting


def _has_begun(pod: Any) -> bool:
    return any(
        status.state is not None and (status.state.running is not None or status.state.terminated is not None)
        for status in pod.status.container_statuses or []
    )


def _words(pods: Sequence[Any]) -> str:
    """What the newest pod is doing, with the scheduler's reason where it waits for a place."""
    if not pods:
        return "no pod yet"
    pod = pods[-1]
    reasons = [
        one.message for one in pod.status.conditions or [] if one.type == "PodScheduled" and one.status == "False"
    ]
    reasons += [one.reason for one in _waiting(pod) if one.reason]
    return ", ".join(filter(None, [str(pod.status.phase or "Unknown").lower(), *reasons]))


def _pairs(lines: str | Sequence[str]) -> dict[str, str]:
    """NODE_SELECTOR as a mapping. Raises `LaunchFailed` for what is no pair."""
    found = {}
    for one in lines.split(",") if isinstance(lines, str) else lines:
        name, sign, value = str(one).strip().partition("=")
        if not sign or not name:
            raise LaunchFailed(
                f"NODE_SELECTOR has {str(one).strip()!r}, which is no pair: write LABEL=VALUE, with commas between."
            )
        found[name.strip()] = value.strip()
    return found


@contextmanager
def _connection() -> Iterator[Any]:
    """The API of the cluster that this runs in, or of the context in the kubeconfig (`KUBECONFIG` names the file)."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise PackageMissing(
            "LAUNCHER = kubernetes needs the package kubernetes: pip install 'evergreen[experiment-remote]'."
        ) from error
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
            made = client.Configuration()
            config.load_incluster_config(client_configuration=made)
            api = client.ApiClient(made)
        else:
            api = config.new_client_from_config(config_file=os.environ.get("KUBECONFIG") or None)
    except (config.ConfigException, OSError) as error:
        raise LaunchFailed(f"No cluster is known here: {error} Give its kubeconfig in KUBECONFIG.") from error
    with api:
        yield api


@contextmanager
def _refusing(what: str, missing_is_fine: bool = False) -> Iterator[None]:
    """What the cluster refuses in the block is `LaunchFailed`, an outage `Unreachable`."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        if error.status == 404 and missing_is_fine:
            return
        if error.status in (0, 429) or error.status >= 500:
            raise Unreachable(f"the cluster answered {error.status} {error.reason}") from error
        raise LaunchFailed(
            f"The cluster would not {what}: {_message(error)} Correct [kubernetes] in settings.ini, or the rights "
            "of your account."
        ) from error
    except HTTPError as error:
        raise Unreachable(str(error)) from error


def _message(error: Any) -> str:
    """What the API says in words, or its status."""
    try:
        return str(json.loads(error.body)["message"]).rstrip(".") + "."
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}."
