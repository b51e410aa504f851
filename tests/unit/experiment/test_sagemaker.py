"""Steps as jobs of SageMaker: what is asked for, and what is made of what happens there."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiment import following
from experiment.errors import Cancelled, LaunchFailed
from experiment.launching import Job
from experiment.sagemaker import SageMaker
from experiment.settings import Settings, parse
from unit.experiment.conftest import Aws
from unit.experiment.local_sagemaker import LocalSageMaker, refusal
from unit.experiment.serving import listening

ROLE = "arn:aws:iam::123456789012:role/experiments"
EVERYTHING = """
[storage]
ROOT = s3://bucket/experiments
[sagemaker]
ROLE = arn:aws:iam::123456789012:role/experiments
IMAGE = 123456789012.dkr.ecr.eu-central-1.amazonaws.com/evergreen:1.2
REGION = eu-central-1
INSTANCE_TYPE = ml.g5.2xlarge
PROCESSING_INSTANCE_TYPE = ml.m5.2xlarge
VOLUME_GB = 120
MAX_RUNTIME_S = 7200
SPOT = true
MAX_WAIT_S = 9000
SUBNETS = subnet-1, subnet-2
SECURITY_GROUPS = sg-1
KMS_KEY = arn:aws:kms:eu-central-1:123456789012:key/1
POLL_S = 0.02
"""


def settings_of(text: str) -> Settings:
    settings, _problems = parse(text.encode(), "EXP-7-long", Path("/experiments/EXP-7-long"))
    return settings


def launcher(url: str, text: str = EVERYTHING) -> SageMaker:
    return SageMaker(settings_of(text.replace("[sagemaker]", f"[sagemaker]\nENDPOINT_URL = {url}")))


def job(step: str = "training", *command: str, **environment: str) -> Job:
    words = list(command) or ["python", "-m", "experiment.step", "s3://bucket/experiments/EXP-7-long", "3", step]
    return Job(f"exp-7-long-3-{step}", step, words, environment, Path("/sources"), 1)


def never() -> bool:
    return False


# -- what Amazon's own rules say of our requests -------------------------------------------------------------------


def test_a_training_job_is_what_the_settings_say(aws: Aws) -> None:
    told: list[str] = []
    launcher(aws.url).launch(job(SEED="42"), told.append, never)
    name = re.search(r"taken (\S+)", told[0])[1]  # type: ignore[index]
    about = aws.client("sagemaker").describe_training_job(TrainingJobName=name)
    assert re.fullmatch(r"exp-7-long-3-training-\d{8}-\d{6}", name)
    assert about["RoleArn"] == ROLE
    assert about["AlgorithmSpecification"]["ContainerEntrypoint"] == ["python"]
    assert about["AlgorithmSpecification"]["ContainerArguments"][:2] == ["-m", "experiment.step"]
    assert about["ResourceConfig"] == {
        "InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 120,
        "VolumeKmsKeyId": "arn:aws:kms:eu-central-1:123456789012:key/1",
    }  # fmt: skip
    assert about["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 9000}
    assert about["EnableManagedSpotTraining"] is True
    assert about["VpcConfig"] == {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert about["OutputDataConfig"]["S3OutputPath"] == "s3://bucket/experiments/EXP-7-long/sagemaker"


def test_other_steps_are_processing_jobs(aws: Aws) -> None:
    told: list[str] = []
    launcher(aws.url).launch(job("inference"), told.append, never)
    name = re.search(r"taken (\S+)", told[0])[1]  # type: ignore[index]
    about = aws.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    assert about["AppSpecification"]["ContainerEntrypoint"] == ["python"]
    assert about["NetworkConfig"]["VpcConfig"]["Subnets"] == ["subnet-1", "subnet-2"]


def test_every_request_is_one_that_amazon_takes(aws: Aws) -> None:
    """botocore holds names, types and bounds of each field against the service's own description."""
    from botocore.validate import ParamValidator

    model = aws.client("sagemaker").meta.service_model
    plain = "[storage]\nROOT = s3://b/e\n[sagemaker]\nROLE = {ROLE}\nIMAGE = evergreen:1\n".replace("{ROLE}", ROLE)
    for text in (EVERYTHING, plain):
        for step, operation in (("tuning", "CreateTrainingJob"), ("preparation", "CreateProcessingJob")):
            request = SageMaker(settings_of(text)).request(job(step), "a-name")
            report = ParamValidator().validate(request, model.operation_model(operation).input_shape)
            assert not report.has_errors(), report.generate_report()
    assert "VpcConfig" not in SageMaker(settings_of(plain)).request(job(), "a-name")


def test_no_credential_is_in_a_request(aws: Aws) -> None:
    for step in ("training", "inference"):
        sent = json.dumps(SageMaker(settings_of(EVERYTHING)).request(job(step, SEED="1"), "a-name"))
        assert "AKIATEST" not in sent and "not-a-secret" not in sent and '"Environment": {"SEED": "1"}' in sent
    assert '"InstanceType": "ml.m5.2xlarge"' in sent


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (EVERYTHING.replace("ROLE =", "# ROLE ="), "ROLE of .sagemaker. is empty"),
        (EVERYTHING.replace("IMAGE =", "# IMAGE ="), "IMAGE of .sagemaker. is empty"),
        (EVERYTHING.replace("s3://bucket/experiments", "elsewhere"), "in S3 alone: set ROOT"),
    ],
    ids=["role", "image", "storage"],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_asked(text: str, words: str) -> None:
    with pytest.raises(LaunchFailed, match=words):
        SageMaker(settings_of(text))


# -- what is made of what happens there ----------------------------------------------------------------------------


@pytest.fixture
def local(aws: Aws) -> Iterator[tuple[LocalSageMaker, str]]:
    service = LocalSageMaker()
    with listening(service) as url:
        yield service, url


def python(script: str) -> tuple[str, ...]:
    return ("python", "-c", script)


@pytest.mark.parametrize("step", ["training", "inference"])
def test_the_log_of_a_job_is_told_once_and_in_order(local: tuple[LocalSageMaker, str], step: str) -> None:
    _, url = local
    told: list[str] = []
    script = (
        "import os, time\nfor n in range(5): print('evergreen:', os.environ['WORD'], n, flush=True); time.sleep(0.03)"
    )
    launcher(url).launch(job(step, *python(script), WORD="line"), told.append, never)
    assert [line for line in told if line.startswith("line")] == [f"line {number}" for number in range(5)]
    assert told[-1].endswith(": Completed")


def test_a_failed_job_says_why_and_where_its_log_is(local: tuple[LocalSageMaker, str]) -> None:
    told: list[str] = []
    with pytest.raises(LaunchFailed) as caught:
        launcher(local[1]).launch(job("training", *python("print('no rows'); raise SystemExit(3)")), told.append, never)
    assert "exit code: 3 Its log is in CloudWatch, /aws/sagemaker/TrainingJobs, exp-7-long-3" in str(caught.value)
    assert str(caught.value).endswith("Its last words:\nno rows")
    assert "no rows" not in told, "noise of libraries is told when a step fails, and only then"


@pytest.mark.parametrize("step", ["tuning", "preparation"])
def test_a_stop_ends_the_job_there(local: tuple[LocalSageMaker, str], step: str) -> None:
    service, url = local
    told: list[str] = []

    def asked() -> bool:
        return "begun" in told

    script = "import time; print('evergreen: begun', flush=True); time.sleep(60)"
    with pytest.raises(Cancelled, match=r"was stopped\. What it had finished is kept"):
        launcher(url).launch(job(step, *python(script)), told.append, asked)
    assert service.stopped == set(service.jobs)


def test_somebody_stops_it_there(local: tuple[LocalSageMaker, str]) -> None:
    service, url = local

    def stop() -> None:
        while not service.jobs:
            time.sleep(0.01)
        name = next(iter(service.jobs))
        service._StopTrainingJob({"TrainingJobName": name})

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(LaunchFailed, match="it was stopped there"):
        launcher(url).launch(job("training", *python("import time; time.sleep(60)")), lambda line: None, never)
    thread.join()


def test_a_job_that_a_killed_caller_left_is_waited_for(local: tuple[LocalSageMaker, str], tmp_path: Path) -> None:
    service, url = local
    script = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\nprint('evergreen: done')"
    same = job("training", *python(script))
    service.answer("POST", "/", *_request(launcher(url).request(same, "exp-7-long-3-training-20260101-000000")))
    told: list[str] = []

    def heard(line: str) -> None:
        told.append(line)
        (tmp_path / "go").touch()

    launcher(url).launch(same, heard, never)
    assert len(service.jobs) == 1
    assert "at work on exp-7-long-3-training-20260101-000000 already" in told[0] and "done" in told


def _request(fields: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    return json.dumps(fields).encode(), {"X-Amz-Target": "SageMaker.CreateTrainingJob"}


def test_a_service_that_is_busy_or_away_for_a_while_is_waited_for(local: tuple[LocalSageMaker, str]) -> None:
    service, url = local
    told: list[str] = []

    def heard(line: str) -> None:
        told.append(line)
        if "has taken" in line:
            service.trouble += [refusal("ThrottlingException", "Rate exceeded"), (503, {"message": "no service"})]

    launcher(url).launch(job("training", *python("print('evergreen: through')")), heard, never)
    assert "through" in told and service.trouble == []


def test_a_service_that_stays_away_is_given_up(
    local: tuple[LocalSageMaker, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        where = "job x at SageMaker"

        def state(self) -> following.State:
            raise following.Unreachable("connection refused")

        lines = stop = state

    with pytest.raises(LaunchFailed, match=r"cannot be asked about any more: connection refused.*which finds it"):
        following.follow(Away(), 0.01, lambda line: None, never, patience_s=0.05)
    with pytest.raises(LaunchFailed, match=r"could not be reached.*Stop it there"):
        following.follow(Away(), 0.01, lambda line: None, lambda: True, patience_s=0.05)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(LaunchFailed, match=r"cannot be reached.*which finds its job"):
        launcher("http://127.0.0.1:9").launch(job(), lambda line: None, never)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal("ValidationException", "Could not access the image"), "would not find the job.*the image"),
        (refusal("AccessDeniedException", "not authorized"), "not authorized.*rights of your credentials"),
    ],
    ids=["validation", "rights"],
)
def test_what_amazon_refuses_is_told_with_what_to_do(
    local: tuple[LocalSageMaker, str], answer: Any, words: str
) -> None:
    local[0].trouble.append(answer)
    with pytest.raises(LaunchFailed, match=words):
        launcher(local[1]).launch(job(), lambda line: None, never)


def test_without_credentials_it_says_so(local: tuple[LocalSageMaker, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(LaunchFailed, match="credentials"):
        launcher(local[1]).launch(job(), lambda line: None, never)


def test_a_variable_that_is_too_long_is_refused(local: tuple[LocalSageMaker, str]) -> None:
    with pytest.raises(LaunchFailed, match="The variable WORD has over 512"):
        launcher(local[1]).launch(job("training", WORD="x" * 600), lambda line: None, never)
    assert local[0].jobs == {}
