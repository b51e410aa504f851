"""The same step at SageMaker and in a cluster: data, code and settings from the place, the record into it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import experiment
from unit.experiment.conftest import Aws
from unit.experiment.folders import MODELS, QUICK, set_keys, write_models
from unit.experiment.local_kubernetes import LocalKubernetes
from unit.experiment.local_sagemaker import LocalSageMaker
from unit.experiment.serving import listening

PROJECT = Path(__file__).parents[3]
STEPS = {"RUN_TRAINING": "false", "RUN_INFERENCE": "false", "MODEL_NAMES": MODELS[0]}
ROLE = "arn:aws:iam::123456789012:role/experiments"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An experiment whose preparation is to run elsewhere."""
    monkeypatch.setenv("EVERGREEN_ROOT", str(tmp_path))
    monkeypatch.setenv("EVERGREEN_EXPERIMENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "src" / "python"))
    write_models(tmp_path / "src" / "model")
    rows = (PROJECT / "misc" / "reviews.csv").read_text().splitlines(keepends=True)[:61]
    (tmp_path / "rows.csv").write_text("".join(rows))
    made = experiment.new(tmp_path / "EXP-7-elsewhere", experiment.Source(files=(str(tmp_path / "rows.csv"),)))
    set_keys(made, **QUICK | STEPS)
    yield made


def run(folder: Path) -> list[str]:
    """Start it and do its steps; what was told."""
    told: list[str] = []
    started = experiment.start(folder, told=told.append)
    for step in started.steps:
        record = experiment.run_step(folder, started.number, step, told=told.append)
        assert record["state"] == "done" and not record["reused"]
    return told


def set_section(folder: Path, section: str, **keys: str) -> None:
    """Write values of one section, whose keys others have too."""
    file = folder / "settings.ini"
    before, sign, after = file.read_text().partition(f"[{section}]\n")
    lines = [f"{name} = {value}" for name, value in keys.items()]
    own, end, rest = after.partition("\n\n")
    kept = [line for line in own.splitlines() if line.partition(" =")[0] not in keys]
    file.write_text(before + sign + "\n".join([*kept, *lines]) + end + rest)


def test_in_a_cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_section(folder, "launch", LAUNCHER="kubernetes")
    set_section(folder, "kubernetes", IMAGE="registry.example/evergreen:1", VOLUME_CLAIM="experiments", POLL_S="0.05")
    cluster = LocalKubernetes()
    with listening(cluster) as url:
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "here", "users": [{"name": "me", "user": {}}],
            "clusters": [{"name": "local", "cluster": {"server": url}}],
            "contexts": [{"name": "here", "context": {"cluster": "local", "user": "me"}}],
        }  # fmt: skip
        (folder.parent / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(folder.parent / "kubeconfig"))
        told = run(folder)
    assert [body["metadata"]["labels"]["app.kubernetes.io/component"] for body in cluster.bodies] == ["preparation"]
    assert any(line.endswith(": completed") for line in told)
    assert experiment.record(folder, 1, f"preparation/{MODELS[0]}")["launcher"] == "kubernetes"


def test_at_sagemaker(folder: Path, aws: Aws) -> None:
    aws.client("s3").create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    service = LocalSageMaker()
    with listening(service) as url:
        set_section(folder, "storage", ROOT="s3://elsewhere/experiments", ENDPOINT_URL=aws.url)
        set_section(folder, "launch", LAUNCHER="sagemaker")
        set_section(folder, "sagemaker", ROLE=ROLE, IMAGE="evergreen:1", ENDPOINT_URL=url, POLL_S="0.05")
        told = run(folder)
    asked = [fields["AppSpecification"]["ContainerArguments"] for fields, _ in service.jobs.values()]
    assert [words[-1] for words in asked] == [f"preparation/{MODELS[0]}"]
    assert any(line.endswith(": Completed") for line in told)
    listed = aws.client("s3").list_objects_v2(Bucket="elsewhere", Prefix="experiments/EXP-7-elsewhere/run_1/")
    assert any("preparation" in one["Key"] for one in listed["Contents"])
