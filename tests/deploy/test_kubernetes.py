"""The manifests: valid, wired to each other, and to paths, settings and rights that the code has."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import kubernetes_validate
import pytest
import yaml
from redis import Redis as redis_client

from api.keys import Keys
from deploy.images import ROOT, variables
from deploy.kustomize import Manifest, containers, pod_of, render
from inference import bundled
from real_redis import free_port, running

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("single-node", "cluster", "cluster-without-keda")
VERSION = "1.34"
CUSTOM = {"ScaledObject", "TriggerAuthentication", "ServingRuntime", "InferenceService"}  # no schema comes with them


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Manifest]]:
    """The manifests of each overlay, and of KServe's example."""
    made = {name: render(FOLDER / "overlays" / name) for name in OVERLAYS}
    return {**made, "kserve": render(FOLDER / "kserve")}


@pytest.fixture(scope="module")
def made_secrets() -> dict[str, dict[str, str]]:
    """What make_secrets.py makes, by name."""
    done = subprocess.run([sys.executable, FOLDER / "make_secrets.py"], capture_output=True, text=True, check=True)
    return {one["metadata"]["name"]: one["stringData"] for one in json.loads(done.stdout)["items"]}


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [one for one in manifests if one["kind"] in kinds]


def by_name(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    return next(one for one in of_kind(manifests, kind) if one["metadata"]["name"] == name)


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Labels and spec of the pods, by the name of what makes them."""
    return {one["metadata"]["name"]: pod_of(one) for one in of_kind(manifests, "Deployment", "StatefulSet")}


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector takes a pod with these labels."""
    rules = selector.get("matchExpressions", ())
    assert all(rule["operator"] == "In" for rule in rules), "this test knows no other"
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(rule["key"]) in rule["values"] for rule in rules
    )


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl to compare with")
@pytest.mark.parametrize("folder", [*(f"overlays/{name}" for name in OVERLAYS), "kserve"])
def test_kubectl_renders_the_same(folder: str) -> None:
    done = subprocess.run(["kubectl", "kustomize", FOLDER / folder], capture_output=True, text=True)
    if done.returncode and "unknown field" in done.stderr:
        pytest.skip(f"This kubectl is too old: {done.stderr}")
    assert done.returncode == 0, done.stderr
    ours = {(one["kind"], one["metadata"]["name"]): one for one in render(FOLDER / folder)}
    assert {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout)} == ours


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_schemas_of_kubernetes_hold(rendered: dict[str, list[Manifest]], overlay: str) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in rendered[overlay]]
    assert len(set(names)) == len(names)
    for one in rendered[overlay]:
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(json.loads(json.dumps(one)), VERSION, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_leads_to_a_port_of_a_pod(rendered: dict[str, list[Manifest]], overlay: str) -> None:
    found = pods(rendered[overlay])
    for service in of_kind(rendered[overlay], "Service"):
        hit = [
            pod
            for pod in found.values()
            if selects({"matchLabels": service["spec"]["selector"]}, pod["metadata"]["labels"])
        ]
        assert len(hit) == 1, service["metadata"]["name"]
        ports = {port["name"] for container in hit[0]["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for one in of_kind(rendered[overlay], "StatefulSet", "Deployment"):
        assert selects(one["spec"]["selector"], pod_of(one)["metadata"]["labels"])
    for one in of_kind(rendered[overlay], "StatefulSet"):
        by_name(rendered[overlay], "Service", one["spec"]["serviceName"])
    for budget in of_kind(rendered[overlay], "PodDisruptionBudget"):
        assert [name for name, pod in found.items() if selects(budget["spec"]["selector"], pod["metadata"]["labels"])]
    for scaler in of_kind(rendered[overlay], "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        scaled = by_name(rendered[overlay], target["kind"], target["name"])
        assert "replicas" not in scaled["spec"], "applied again, it would undo what was scaled"
        assert all("cpu" in container["resources"]["requests"] for container in containers(scaled))


def test_single_pods_have_no_budget_and_others_one(rendered: dict[str, list[Manifest]]) -> None:
    for overlay in ("cluster", "cluster-without-keda"):
        budgets = {one["metadata"]["name"] for one in of_kind(rendered[overlay], "PodDisruptionBudget")}
        several = {one["metadata"]["name"] for one in of_kind(rendered[overlay], "Deployment")}
        assert budgets == several == {"serving", "stream-receiver", "stream-worker"}
    assert of_kind(rendered["single-node"], "PodDisruptionBudget", "HorizontalPodAutoscaler", "ScaledObject") == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_reference_is_to_something(
    rendered: dict[str, list[Manifest]], made_secrets: dict[str, dict[str, str]], overlay: str
) -> None:
    known = {
        kind: {one["metadata"]["name"]: one.get("data", {}) for one in of_kind(rendered[overlay], kind)}
        for kind in ("ConfigMap", "PersistentVolumeClaim", "ServiceAccount")
    }
    used: set[tuple[str, str]] = set()
    for name, pod in pods(rendered[overlay]).items():
        assert pod["spec"]["serviceAccountName"] in known["ServiceAccount"]
        own = {
            one["metadata"]["name"]
            for one in by_either(rendered[overlay], name)["spec"].get("volumeClaimTemplates", ())
        }
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", ())}
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in known["PersistentVolumeClaim"]
            elif "configMap" in volume:
                assert volume["configMap"]["name"] in known["ConfigMap"]
            elif "secret" in volume:
                keys = made_secrets[volume["secret"]["secretName"]]
                items = volume["secret"].get("items", [{"key": key} for key in keys])
                used |= {(volume["secret"]["secretName"], item["key"]) for item in items}
                assert {item["key"] for item in items} <= set(keys)
            else:
                assert volume["emptyDir"]["sizeLimit"], f"{name}: an unbounded folder fills the node"
        for container in pod["spec"]["containers"]:
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == own | set(volumes), name
            assert {one["configMapRef"]["name"] for one in container.get("envFrom", ())} <= set(known["ConfigMap"])
            for variable in container.get("env", ()):
                if "valueFrom" in variable:
                    reference = variable["valueFrom"]["secretKeyRef"]
                    assert reference["key"] in made_secrets[reference["name"]], f"{name}: {reference}"
                    used.add((reference["name"], reference["key"]))
    for one in of_kind(rendered[overlay], "TriggerAuthentication"):
        used |= {(reference["name"], reference["key"]) for reference in one["spec"]["secretTargetRef"]}
    there = {(name, key) for name, values in made_secrets.items() for key in values}
    by_hand = {("redis", "operator-password")} | (set() if overlay == "cluster" else {("redis", "keda-password")})
    assert there - used == by_hand, "a secret that nobody uses is one too many"


def by_either(manifests: list[Manifest], name: str) -> Manifest:
    return next(one for one in of_kind(manifests, "Deployment", "StatefulSet") if one["metadata"]["name"] == name)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted_and_bounded(rendered: dict[str, list[Manifest]], overlay: str) -> None:
    labels = by_name(rendered[overlay], "Namespace", "evergreen")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod in pods(rendered[overlay]).items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            for bound in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(container["resources"][bound]), name
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name
            tag = container["image"].partition(":")[2]
            assert re.search(r"\d+\.\d+\.\d+", tag), f"{container['image']} is not one image for good"


def test_the_users_and_folders_are_those_of_the_image(rendered: dict[str, list[Manifest]]) -> None:
    image = (ROOT / "Dockerfile.irislite").read_text()
    made = variables("Dockerfile.irislite")
    volumes = set(json.loads(re.search(r"^VOLUME (.*)$", image, re.MULTILINE)[1]))
    for name, pod in pods(rendered["cluster"]).items():
        if name == "redis":
            continue
        assert (
            f"USER {pod['spec']['securityContext']['runAsUser']}:{pod['spec']['securityContext']['runAsGroup']}"
            in image
        )
        mounts = {mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]}
        assert "/tmp" in mounts
        if name == "evergreen":
            assert volumes <= mounts and made["EVERGREEN_DATA"] in mounts
        if name == "serving":
            assert made["EVERGREEN_DATA"] in mounts
            folder = next(one for one in pod["spec"]["containers"][0]["args"] if one.startswith("--folder="))
            assert folder.partition("=")[2].rpartition("/")[0] in mounts


def test_kserve_runs_the_model_of_the_same_volume(
    rendered: dict[str, list[Manifest]], made_secrets: dict[str, dict[str, str]]
) -> None:
    runtime, service = of_kind(rendered["kserve"], "ServingRuntime", "InferenceService")
    model, spec = service["spec"]["predictor"]["model"], runtime["spec"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] in {one["name"] for one in spec["supportedModelFormats"]}
    assert model["protocolVersion"] in spec["protocolVersions"]
    claim = model["storageUri"].removeprefix("pvc://").partition("/")[0]
    by_name(rendered["single-node"], "PersistentVolumeClaim", claim)
    ours, theirs = pods(rendered["cluster"])["serving"]["spec"]["containers"][0], spec["containers"][0]
    assert theirs["image"] == ours["image"]
    assert theirs["args"][:3] == ["evergreen", "serve", "{{.Name}}"], "clients ask for it by the service's name"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert theirs[probe]["httpGet"]["path"] == ours[probe]["httpGet"]["path"]
    assert theirs["securityContext"].items() >= ours["securityContext"].items()
    assert theirs["securityContext"]["runAsNonRoot"] is True and {"cpu", "memory"} <= set(theirs["resources"]["limits"])
    known = {one["name"] for one in ours["env"]} | {"PORT"}
    assert {one["name"] for one in theirs["env"]} <= known
    for volume in spec["volumes"]:
        assert "emptyDir" in volume or volume["secret"]["secretName"] in made_secrets
    assert {one["name"] for one in theirs["volumeMounts"]} == {one["name"] for one in spec["volumes"]}


# -- who may speak with whom -------------------------------------------------------------------------------------


def allowed(manifests: list[Manifest], source: Manifest, target: Manifest, port: str) -> bool:
    """Whether the policies let a pod of `source` connect to the named port of `target`, both in this namespace."""
    policies = [one["spec"] for one in of_kind(manifests, "NetworkPolicy")]
    number = next(
        one["containerPort"] for container in target["spec"]["containers"] for one in container["ports"]
        if one["name"] == port
    )  # fmt: skip

    def passes(direction: str, peers: str, at: Manifest, other: Manifest) -> bool:
        concerned = [
            policy for policy in policies
            if direction in policy["policyTypes"] and selects(policy["podSelector"], at["metadata"]["labels"])
        ]  # fmt: skip
        rules = [rule for policy in concerned for rule in policy.get(direction.lower(), ())]
        return not concerned or any(
            any(one["port"] in (port, number) for one in rule["ports"])
            and any(
                "podSelector" in peer and "namespaceSelector" not in peer
                and selects(peer["podSelector"], other["metadata"]["labels"])
                for peer in rule[peers]
            )
            for rule in rules
        )  # fmt: skip

    return passes("Egress", "to", source, target) and passes("Ingress", "from", target, source)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nobody_speaks_with_anybody_but_who_must(rendered: dict[str, list[Manifest]], overlay: str) -> None:
    found = pods(rendered[overlay])
    for policy in of_kind(rendered[overlay], "NetworkPolicy"):
        spec = policy["spec"]
        assert [name for name, pod in found.items() if selects(spec["podSelector"], pod["metadata"]["labels"])]
        for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
            for peer in (*rule.get("from", ()), *rule.get("to", ())):
                if set(peer) == {"podSelector"}:
                    assert [one for one in found.values() if selects(peer["podSelector"], one["metadata"]["labels"])]
    ports = {"redis": "redis", **dict.fromkeys(("evergreen", "serving", "stream-receiver", "stream-worker"), "http")}
    speaking = {
        (source, target) for source in found for target in found
        if source != target and allowed(rendered[overlay], found[source], found[target], ports[target])
    }  # fmt: skip
    assert speaking == {
        ("evergreen", "redis"), ("stream-worker", "redis"), ("stream-receiver", "redis"), ("stream-worker", "serving"),
    }  # fmt: skip


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_addresses_in_settings_are_those_of_services(rendered: dict[str, list[Manifest]], overlay: str) -> None:
    services = {one["metadata"]["name"]: one["spec"] for one in of_kind(rendered[overlay], "Service")}
    worker = _environment(rendered[overlay], "stream-worker")
    host, _, path = worker["SENTIMENT_MODEL_URL"].removeprefix("http://").partition("/")
    assert services[host]["ports"][0]["port"] == 80
    serving = pods(rendered[overlay])["serving"]["spec"]["containers"][0]
    assert path == f"v2/models/{serving['args'][2]}"
    answered = _environment(rendered[overlay], "serving")["IRISLITE_ALLOWED_HOSTS"].replace(",", " ").split()
    assert answered == [host, f"{host}.evergreen", f"{host}.evergreen.svc", f"{host}.evergreen.svc.cluster.local"]
    redis = re.fullmatch(r"redis://([a-z]+):(\d+)/0", worker["SENTIMENT_REDIS_URL"])
    assert services[redis[1]]["ports"][0]["port"] == int(redis[2])
    for scaled in of_kind(rendered[overlay], "ScaledObject"):
        trigger = scaled["spec"]["triggers"][0]
        assert trigger["type"] == "redis-streams"
        assert trigger["metadata"]["address"] == f"{redis[1]}.evergreen.svc:{redis[2]}"
        assert trigger["metadata"]["stream"] == f"{worker['SENTIMENT_PREFIX']}:posts"
        assert trigger["metadata"]["consumerGroup"] == worker["SENTIMENT_GROUP"]
        by_name(rendered[overlay], "TriggerAuthentication", trigger["authenticationRef"]["name"])


def _environment(manifests: list[Manifest], name: str) -> dict[str, str]:
    """The variables of a pod's container that have a value."""
    container = pods(manifests)[name]["spec"]["containers"][0]
    maps = [
        by_name(manifests, "ConfigMap", one["configMapRef"]["name"])["data"] for one in container.get("envFrom", ())
    ]
    own = {one["name"]: one["value"] for one in container.get("env", ()) if "value" in one}
    return {name: value for each in (*maps, own) for name, value in each.items()}


# -- secrets -----------------------------------------------------------------------------------------------------


def test_no_secret_is_in_the_manifests_and_those_that_are_made_are_good(
    rendered: dict[str, list[Manifest]], made_secrets: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    for manifests in rendered.values():
        assert of_kind(manifests, "Secret") == []
        for one in manifests:
            for container in [*containers(one), *one.get("spec", {}).get("containers", ())]:
                told = {variable["name"] for variable in container.get("env", ()) if "value" in variable}
                assert not [name for name in told if re.search("PASSWORD|TOKEN|_KEY$|SECRET", name)]
    keys = Keys(tmp_path / "keys.db")
    assert keys.take(made_secrets["model-keys"]["keys.jsonl"]) == 1
    identity = keys.identify(made_secrets["model-key"]["key"])
    keys.close()
    assert (identity.name, identity.role) == ("stream workers", "predictor")
    assert made_secrets["model-key"]["key"] not in made_secrets["model-keys"]["keys.jsonl"]
    again = subprocess.run(
        [sys.executable, FOLDER / "make_secrets.py"], capture_output=True, text=True, check=True
    ).stdout
    assert made_secrets["evergreen"]["password"] not in again


# -- what runs in them -------------------------------------------------------------------------------------------


def test_the_commands_are_there(rendered: dict[str, list[Manifest]]) -> None:
    import evergreen
    import sentiment.__main__

    for name, pod in pods(rendered["cluster"]).items():
        match pod["spec"]["containers"][0].get("args"):
            case ["evergreen", command, *_]:
                assert command in ("run", "serve"), name
                with pytest.raises(SystemExit) as left:
                    evergreen.main([command, "--help"])
                assert left.value.code == 0
            case ["python", "-m", "sentiment", command]:
                with pytest.raises(SystemExit) as left:
                    sentiment.__main__.main([command, "--help"])
                assert left.value.code == 0
            case other:
                assert other is None and name == "redis"


def test_the_variables_are_those_that_the_code_reads(rendered: dict[str, list[Manifest]]) -> None:
    import sentiment

    page = (ROOT / "docs" / "settings.md").read_text()
    settings = {f"SENTIMENT_{name.upper()}" for name in sentiment.SETTINGS}
    for name in pods(rendered["cluster"]):
        for variable in _environment(rendered["cluster"], name):
            assert f"`{variable}`" in page or variable in settings, f"{name}: {variable}"


@pytest.fixture(scope="module")
def redis(
    rendered: dict[str, list[Manifest]],
    made_secrets: dict[str, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    """The port of a Redis with the manifests' configuration and users."""
    folder = tmp_path_factory.mktemp("redis")
    (folder / "users.acl").write_text(made_secrets["redis"]["users.acl"])
    text = by_name(rendered["cluster"], "ConfigMap", "redis")["data"]["redis.conf"]
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    given = {**dict(lines), "aclfile": str(folder / "users.acl"), "dir": str(folder)}
    with running(folder, *(word for name, value in given.items() for word in (f"--{name}", value.strip('"')))) as port:
        yield port


def test_redis_takes_its_configuration_and_lets_each_do_its_own(
    redis: int, made_secrets: dict[str, dict[str, str]]
) -> None:
    def cli(*arguments: str, user: str = "") -> str:
        account = (
            ["--user", user, "--pass", made_secrets["redis"][f"{user}-password"], "--no-auth-warning"] if user else []
        )
        done = subprocess.run(["redis-cli", "-p", str(redis), *account, *arguments], capture_output=True, text=True)
        return done.stdout.strip() + done.stderr.strip()

    assert cli("ping") == "PONG" and "NOPERM" in cli("set", "evergreen:sentiment:x", "1")
    assert cli("config", "get", "appendfsync", user="operator").split() == ["appendfsync", "always"]
    assert cli("config", "get", "maxmemory-policy", user="operator").split() == ["maxmemory-policy", "noeviction"]
    stream = "evergreen:sentiment:posts"
    assert "-" in cli("xadd", stream, "*", "post", "{}", user="receiver")
    assert cli("xgroup", "create", stream, "labellers", "0", user="worker") == "OK"
    assert "labellers" in cli("xinfo", "groups", stream, user="keda")
    for user, command in (
        ("keda", ("xadd", stream, "*", "post", "{}")), ("receiver", ("publish", "stream", "x")),
        ("worker", ("set", "other", "1")), ("worker", ("flushall",)), ("production", ("shutdown",)),
    ):  # fmt: skip
        assert "NOPERM" in cli(*command, user=user), (user, command)


def probes(manifests: list[Manifest], name: str) -> set[str]:
    """The paths that the kubelet asks a pod for."""
    container = by_either(manifests, name)["spec"]["template"]["spec"]["containers"][0]
    kinds = ("startupProbe", "readinessProbe", "livenessProbe")
    return {container[kind]["httpGet"]["path"] for kind in kinds if "httpGet" in container[kind]}


class Pods:
    """The containers of the manifests as processes of this machine: their own commands and variables."""

    def __init__(self, manifests: list[Manifest], secrets: dict[str, dict[str, str]], folder: Path) -> None:
        self._manifests, self._secrets, self._folder = manifests, secrets, folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, arguments: dict[str, str], **environment: str) -> None:
        """Start a pod's container; `arguments` and `environment` say what is elsewhere on this machine."""
        container = pods(self._manifests)[name]["spec"]["containers"][0]
        command = [arguments.get(one, one) for one in container["args"]]
        program = [sys.executable, "-m", "evergreen"] if command[0] == "evergreen" else [sys.executable]
        references = {
            one["name"]: self._secrets[one["valueFrom"]["secretKeyRef"]["name"]][one["valueFrom"]["secretKeyRef"]["key"]]
            for one in container["env"] if "valueFrom" in one
        }  # fmt: skip
        told = {**_environment(self._manifests, name), **references, **environment, "OMP_NUM_THREADS": "1"}
        known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        roots = {"PYTHONPATH": str(ROOT / "src" / "python"), "EVERGREEN_DATA": str(self._folder / name)}
        log = (self._folder / f"{name}.log").open("wb")
        self._processes.append(
            subprocess.Popen(
                [*program, *command[1:]], env={**known, **roots, **told}, stdout=log, stderr=log, cwd=self._folder
            )
        )

    def ready(self, name: str, port: int) -> None:
        """Wait until every path that the kubelet asks for answers with 200."""
        for path in probes(self._manifests, name):
            deadline = time.monotonic() + 120
            while not self._answers(port, path):
                told = (self._folder / f"{name}.log").read_text()
                assert time.monotonic() < deadline and all(one.poll() is None for one in self._processes), (
                    f"{path}: {told}"
                )
                time.sleep(0.1)

    def _answers(self, port: int, path: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> list[int]:
        """Stop them as the kubelet does; how they ended."""
        for process in self._processes:
            process.terminate()
        return [process.wait(60) for process in self._processes]


def test_a_post_goes_through_the_pods(
    rendered: dict[str, list[Manifest]], made_secrets: dict[str, dict[str, str]], redis: int, tmp_path: Path
) -> None:
    """Server, worker and receiver with the manifests' commands, variables and accounts; their probes; a post, its label."""
    manifests = rendered["cluster"]
    (tmp_path / "keys.jsonl").write_text(made_secrets["model-keys"]["keys.jsonl"])
    ports = {name: free_port() for name in ("serving", "stream-worker", "stream-receiver", "evergreen")}
    started = Pods(manifests, made_secrets, tmp_path)
    address = {"SENTIMENT_REDIS_URL": f"redis://127.0.0.1:{redis}/0"}
    try:
        folders = {
            "--folder=/models/all-MiniLM-L6-v2": f"--folder={bundled.original()}",
            "--keys=/etc/evergreen/keys.jsonl": f"--keys={tmp_path / 'keys.jsonl'}",
        }
        started.start("serving", folders, PORT=str(ports["serving"]), EVERGREEN_ENERGY_BOOK=str(tmp_path / "book.db"))
        model = f"http://127.0.0.1:{ports['serving']}/v2/models/all-MiniLM-L6-v2"
        started.start(
            "stream-worker", {}, **address, SENTIMENT_MODEL_URL=model, SENTIMENT_POSITIVE="LABEL_0,LABEL_1",
            SENTIMENT_HEALTH_PORT=str(ports["stream-worker"]),
        )  # fmt: skip
        started.start("stream-receiver", {}, **address, SENTIMENT_PORT=str(ports["stream-receiver"]))
        for name in ("stream-receiver", "serving", "stream-worker"):
            started.ready(name, ports[name])
        account = made_secrets["redis"]["production-password"]
        with redis_client(port=redis, username="production", password=account) as client, client.pubsub() as listening:
            listening.subscribe("stream")
            listening.get_message(timeout=60)  # that it listens
            post = {"text": "What a wonderful phone https://example.com/x"}
            told = {"Authorization": f"Bearer {made_secrets['stream']['token']}"}
            receiver = f"http://127.0.0.1:{ports['stream-receiver']}/posts"
            assert httpx.post(receiver, json=post).status_code == 401
            assert httpx.post(receiver, json=post, headers=told).status_code == 202
            message = listening.get_message(timeout=30)
        assert message and json.loads(message["data"]) == {
            "tweet": "What a wonderful phone", "returns": 1, "filter": "None", "sentiment": 1,
        }  # fmt: skip
        key = {"Authorization": f"Bearer {made_secrets['model-key']['key']}"}
        found = httpx.get(f"{model.rpartition('/')[0]}", headers=key).json()
        assert found == {"models": ["all-MiniLM-L6-v2"]}
        metrics = httpx.get(f"http://127.0.0.1:{ports['stream-worker']}/metrics").text
        assert re.search(r"^evergreen_sentiment_waiting\S* 0", metrics, re.MULTILINE)
    finally:
        ends = started.stop()
    assert ends[1:] == [0, 0], "a worker and a receiver that are told to stop do so"
    assert {"/healthz"} == probes(manifests, "evergreen"), "of the same application as the server's"
    assert probes(manifests, "redis") == set()
