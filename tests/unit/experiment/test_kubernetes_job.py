"""Steps as Jobs of Kubernetes: the manifest, and what is made of what happens in the cluster."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from experiment.errors import Cancelled, LaunchFailed
from experiment.kubernetes_job import KubernetesJob
from experiment.launching import Job
from experiment.settings import Settings, parse
from unit.experiment.local_kubernetes import MISSING_IMAGE, LocalKubernetes, refusal
from unit.experiment.serving import listening

EVERYTHING = """
[kubernetes]
IMAGE = registry.example/evergreen:1.2
NAMESPACE = experiments
SERVICE_ACCOUNT = trainer
CPU = 4
MEMORY = 16Gi
GPU = 1
BACKOFF_LIMIT = 1
TTL_S = 600
MAX_RUNTIME_S = 7200
VOLUME_CLAIM = experiments
SECRET = bucket-rights
NODE_SELECTOR = kind=gpu, zone=b
POLL_S = 0.02
"""
PLAIN = "[storage]\nROOT = s3://bucket/e\n[kubernetes]\nIMAGE = registry.example/evergreen:1\nPOLL_S = 0.02\n"
VERSION = "1.33"


def settings_of(text: str) -> Settings:
    settings, _problems = parse(text.encode(), "EXP-7-long", Path("/experiments/EXP-7-long"))
    return settings


def launcher(text: str = PLAIN) -> KubernetesJob:
    return KubernetesJob(settings_of(text))


def job(*command: str, step: str = "training", **environment: str) -> Job:
    words = list(command) or ["python", "-m", "experiment.step", "/experiments/EXP-7-long", "3", f"{step}/MiniLM"]
    return Job(f"exp-7-long-3-{step}", step, words, environment, Path("/sources"), 1)


def never() -> bool:
    return False


# -- the manifest ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [EVERYTHING, PLAIN], ids=["everything", "plain"])
def test_a_manifest_is_one_that_the_api_takes(text: str) -> None:
    manifest = launcher(text).manifest(job(SEED="42"))
    kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_a_manifest_says_what_the_settings_say() -> None:
    manifest = launcher(EVERYTHING).manifest(job(SEED="42"))
    spec, pod = manifest["spec"], manifest["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("exp-7-long-3-training", "experiments")
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"], spec["activeDeadlineSeconds"]) == (1, 600, 7200)
    assert container["image"] == "registry.example/evergreen:1.2" and container["command"][1] == "-m"
    assert container["resources"] == {
        "requests": {"cpu": "4", "memory": "16Gi"}, "limits": {"memory": "16Gi", "nvidia.com/gpu": "1"},
    }  # fmt: skip
    assert container["envFrom"] == [{"secretRef": {"name": "bucket-rights"}}]
    assert {"name": "SEED", "value": "42"} in container["env"]
    assert pod["serviceAccountName"] == "trainer" and pod["nodeSelector"] == {"kind": "gpu", "zone": "b"}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"tmp": "/tmp", "experiments": "/experiments"}
    assert {"name": "experiments", "persistentVolumeClaim": {"claimName": "experiments"}} in pod["volumes"]


def test_a_pod_may_do_nothing_that_a_step_does_not_need() -> None:
    """The profile "restricted" of the Pod Security Standards, a root that is not written, no token."""
    pod = launcher(EVERYTHING).manifest(job())["spec"]["template"]["spec"]
    own, container = pod["securityContext"], pod["containers"][0]["securityContext"]
    assert own["runAsNonRoot"] and own["runAsUser"] > 0 and own["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("hostPath" not in volume for volume in pod["volumes"])


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "WANDB_API_KEY", "DB_PASSWORD"])
def test_a_secret_does_not_get_into_a_manifest(name: str) -> None:
    with pytest.raises(LaunchFailed, match=f"{name} would be readable.*SECRET names"):
        launcher().manifest(job(**{name: "x"}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (EVERYTHING.replace("IMAGE =", "# IMAGE ="), "IMAGE of .kubernetes. is empty"),
        (EVERYTHING.replace("VOLUME_CLAIM =", "# VOLUME_CLAIM ="), "A pod does not see the folder"),
        (EVERYTHING.replace("zone=b", "zone"), "NODE_SELECTOR has 'zone'"),
    ],
    ids=["image", "storage", "selector"],
)
def test_settings_that_cannot_be_are_refused(text: str, words: str) -> None:
    with pytest.raises(LaunchFailed, match=words):
        launcher(text).manifest(job())


# -- the cluster -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalKubernetes]:
    """A cluster whose kubeconfig the launcher finds as anybody's client does."""
    service = LocalKubernetes()
    with listening(service) as url:
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "local", "cluster": {"server": url}}],
            "users": [{"name": "me", "user": {"token": "from-the-kubeconfig"}}],
            "contexts": [{"name": "here", "context": {"cluster": "local", "user": "me"}}],
        }  # fmt: skip
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield service


def python(script: str) -> tuple[str, ...]:
    return ("python", "-c", script)


def test_a_step_runs_and_its_log_is_told_once_and_in_order(cluster: LocalKubernetes) -> None:
    told: list[str] = []
    script = (
        "import os, time\nfor n in range(5): print('evergreen:', os.environ['WORD'], n, flush=True); time.sleep(0.03)"
    )
    launcher().launch(job(*python(script), WORD="line"), told.append, never)
    assert [line for line in told if line.startswith("line")] == [f"line {number}" for number in range(5)]
    assert told[-1].endswith(": completed")
    assert cluster.token == "Bearer from-the-kubeconfig"
    assert "from-the-kubeconfig" not in json.dumps(cluster.bodies)


def test_a_finished_job_makes_room_for_the_next(cluster: LocalKubernetes) -> None:
    for number in range(2):
        told: list[str] = []
        launcher().launch(job(*python(f"print('evergreen: run', {number})")), told.append, never)
        assert f"run {number}" in told
    assert len(cluster.bodies) == 2


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("print('no rows'); raise SystemExit(3)", "BackoffLimitExceeded.*Error, exit code 3: no rows"),
        ("raise SystemExit(137)", "OOMKilled, exit code 137.*more than MEMORY allows"),
    ],
    ids=["error", "memory"],
)
def test_a_failed_step_says_why(cluster: LocalKubernetes, script: str, words: str) -> None:
    with pytest.raises(LaunchFailed, match=words):
        launcher().launch(job(*python(script)), lambda line: None, never)


def test_a_failed_pod_is_tried_again_as_often_as_it_may_be(cluster: LocalKubernetes, tmp_path: Path) -> None:
    told: list[str] = []
    script = f"import pathlib; p = pathlib.Path({str(tmp_path / 'once')!r})\nif not p.exists(): p.touch(); raise SystemExit(1)\nprint('evergreen: second')"
    launcher(PLAIN + "BACKOFF_LIMIT = 1\n").launch(job(*python(script)), told.append, never)
    assert "second" in told


def test_an_image_that_cannot_be_pulled_is_not_waited_for(cluster: LocalKubernetes) -> None:
    with pytest.raises(LaunchFailed, match=r"ImagePullBackOff: Back-off pulling.*Correct \[kubernetes\]"):
        launcher(PLAIN.replace("registry.example/evergreen:1", MISSING_IMAGE)).launch(job(), lambda line: None, never)
    assert cluster.jobs == {}


def test_a_stop_removes_the_job_with_its_pods(cluster: LocalKubernetes) -> None:
    told: list[str] = []
    script = "import time; print('evergreen: begun', flush=True); time.sleep(60)"
    with pytest.raises(Cancelled, match="was stopped"):
        launcher().launch(job(*python(script)), told.append, lambda: "begun" in told)
    assert cluster.jobs == {}


def test_a_pod_without_a_node_says_what_it_waits_for(cluster: LocalKubernetes) -> None:
    told: list[str] = []
    with pytest.raises(Cancelled):
        launcher(PLAIN + "NODE_SELECTOR = gpu=yes\n").launch(
            job(), told.append, lambda: any("nodes" in line for line in told)
        )
    assert any("0/3 nodes are available" in line for line in told)


def test_a_job_that_a_killed_caller_left_is_waited_for(cluster: LocalKubernetes, tmp_path: Path) -> None:
    go = tmp_path / "go"
    same = job(
        *python(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('evergreen: done')")
    )
    body = json.dumps(launcher().manifest(same)).encode()
    cluster.answer("POST", "/apis/batch/v1/namespaces/default/jobs", body, {})
    with pytest.raises(LaunchFailed, match=r"at work with other settings.*kubectl delete job exp-7-long-3-training"):
        launcher().launch(job("python", "other.py"), lambda line: None, never)
    told: list[str] = []

    def heard(line: str) -> None:
        told.append(line)
        go.touch()

    launcher().launch(same, heard, never)
    assert len(cluster.bodies) == 1
    assert "is at work already" in told[0] and "done" in told


def test_somebody_removes_it_there(cluster: LocalKubernetes) -> None:
    def remove() -> None:
        while not cluster.jobs:
            time.sleep(0.01)
        cluster.answer("DELETE", "/apis/batch/v1/namespaces/default/jobs/exp-7-long-3-training", b"", {})

    thread = threading.Thread(target=remove)
    thread.start()
    with pytest.raises(LaunchFailed, match="somebody removed it"):
        launcher().launch(job(*python("import time; time.sleep(60)")), lambda line: None, never)
    thread.join()


def test_a_cluster_that_is_away_for_a_while_is_waited_for(cluster: LocalKubernetes) -> None:
    told: list[str] = []

    def heard(line: str) -> None:
        told.append(line)
        if "has taken" in line:
            cluster.trouble += [refusal(503, "ServiceUnavailable", "later"), refusal(429, "TooManyRequests", "slower")]

    launcher().launch(job(*python("print('evergreen: through')")), heard, never)
    assert "through" in told and cluster.trouble == []


@pytest.mark.parametrize(
    ("text", "words"),
    [(PLAIN + "NAMESPACE = forbidden\n", "jobs.batch is forbidden.*the rights of your account")],
    ids=["rights"],
)
def test_what_the_cluster_refuses_is_told_with_what_to_do(cluster: LocalKubernetes, text: str, words: str) -> None:
    with pytest.raises(LaunchFailed, match=words):
        launcher(text).launch(job(), lambda line: None, never)


def test_without_a_cluster_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> Any:
        with pytest.raises(LaunchFailed) as caught:
            launcher().launch(job(), lambda line: None, never)
        return str(caught.value)

    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert "No cluster is known here" in refused()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here", "users": [{"name": "me", "user": {}}],
        "clusters": [{"name": "local", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "here", "context": {"cluster": "local", "user": "me"}}],
    }  # fmt: skip
    (tmp_path / "away").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "away"))
    assert "The cluster cannot be reached" in refused()
