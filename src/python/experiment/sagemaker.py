"""Steps as jobs of Amazon SageMaker: trainings and tunings as training jobs, all else as processing jobs.

The container finds data, code and settings in the experiment's S3 folder and writes there, with the rights of the
job's role. Our own calls use the credentials of the environment, the profile or the machine, as every AWS client does;
none is a setting, and none is handed on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from experiment.errors import LaunchFailed, PackageMissing
from experiment.following import State, Unreachable, follow
from experiment.launching import Job
from experiment.settings import Settings

_TRAININGS = ("training", "tuning")
_LONGEST_NAME = 63
_LONGEST_VALUE = 512  # of a variable of a training job
_AGAIN_LATER = frozenset({"ThrottlingException", "Throttling", "RequestLimitExceeded", "ServiceUnavailable",
                          "InternalFailure", "InternalServerError", "RequestTimeout"})  # fmt: skip


class SageMaker:
    """Runs steps at SageMaker, as the section [sagemaker] of the settings says."""

    def __init__(self, settings: Settings) -> None:
        def said(key: str) -> Any:
            return settings.get(f"sagemaker.{key}")

        for key in ("ROLE", "IMAGE"):
            if not said(key):
                raise LaunchFailed(f"{key} of [sagemaker] is empty: give the job's {key.lower()} in settings.ini.")
        if not settings.address.startswith("s3://"):
            raise LaunchFailed(
                "SageMaker's jobs find their data in S3 alone: set ROOT of [storage] to s3://BUCKET/FOLDER."
            )
        self._said, self._address, self._experiment = said, settings.address, settings.name

    def launch(self, job: Job, told: Callable[[str], None], stop_asked: Callable[[], bool]) -> None:
        """Run the job and wait for it; one that a process before this one left running is waited for instead.

        Raises `LaunchFailed` with SageMaker's reason, `Cancelled`, and `PackageMissing` without boto3.
        """
        kind = _Training if job.step in _TRAININGS else _Processing
        service = _client("sagemaker", self._said)
        try:
            name = self._started(kind, service, job, told)
        except Unreachable as error:
            raise LaunchFailed(
                f"SageMaker cannot be reached: {error}. Run the step again, which finds its job."
            ) from error
        remote = kind(name, service, _client("logs", self._said))
        follow(remote, float(self._said("POLL_S")), told, stop_asked)

    def _started(self, kind: "type[_Remote]", service: Any, job: Job, told: Callable[[str], None]) -> str:
        """The name of the job, which runs."""
        with _refusing("find the job"):
            name = kind.running(service, job)
        if name:
            told(f"SageMaker is at work on {name} already: it is waited for.")
            return name
        name = f"{_stem(job)}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        request = self.request(job, name)
        with _refusing("start the job"):
            kind.start(service, request)
        told(f"SageMaker has taken {name} ({_instance(request)}).")
        return name

    def request(self, job: Job, name: str) -> dict[str, Any]:
        """What SageMaker is asked for: the arguments of create_training_job or create_processing_job."""
        made = self._training(job, name) if job.step in _TRAININGS else self._processing(job, name)
        tags = {"experiment": self._experiment, "step": job.step}
        return {
            **made,
            "RoleArn": self._said("ROLE"),
            "Environment": _environment(job),
            "Tags": [{"Key": f"evergreen:{key}", "Value": value} for key, value in tags.items()],
        }

    def _training(self, job: Job, name: str) -> dict[str, Any]:
        runtime_s, wait_s, is_spot = (self._said(key) for key in ("MAX_RUNTIME_S", "MAX_WAIT_S", "SPOT"))
        stopping = {"MaxRuntimeInSeconds": runtime_s}
        if is_spot:  # the time that a machine is waited for counts too
            stopping["MaxWaitTimeInSeconds"] = max(wait_s, runtime_s)
        return {
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                "TrainingImage": self._said("IMAGE"),
                "TrainingInputMode": "File",
                "ContainerEntrypoint": job.command[:1],
                "ContainerArguments": job.command[1:],
            },
            "OutputDataConfig": self._encrypted("KmsKeyId", {"S3OutputPath": f"{self._address}/sagemaker"}),
            "ResourceConfig": self._machine("INSTANCE_TYPE"),
            "StoppingCondition": stopping,
            "EnableManagedSpotTraining": is_spot,
            **({"VpcConfig": self._network()} if self._network() else {}),
        }

    def _processing(self, job: Job, name: str) -> dict[str, Any]:
        return {
            "ProcessingJobName": name,
            "AppSpecification": {
                "ImageUri": self._said("IMAGE"),
                "ContainerEntrypoint": job.command[:1],
                "ContainerArguments": job.command[1:],
            },
            "ProcessingResources": {"ClusterConfig": self._machine("PROCESSING_INSTANCE_TYPE")},
            "StoppingCondition": {"MaxRuntimeInSeconds": self._said("MAX_RUNTIME_S")},
            **({"NetworkConfig": {"VpcConfig": self._network()}} if self._network() else {}),
        }

    def _machine(self, kind: str) -> dict[str, Any]:
        """One machine: the processes of a training share it, see PROCESSES."""
        volume = {"InstanceCount": 1, "InstanceType": self._said(kind), "VolumeSizeInGB": self._said("VOLUME_GB")}
        return self._encrypted("VolumeKmsKeyId", volume)

    def _encrypted(self, key: str, fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, key: self._said("KMS_KEY")} if self._said("KMS_KEY") else fields

    def _network(self) -> dict[str, list[str]]:
        subnets = [str(one) for one in self._said("SUBNETS")]
        groups = [str(one) for one in self._said("SECURITY_GROUPS")]
        return {"Subnets": subnets, "SecurityGroupIds": groups} if subnets else {}


class _Remote:
    """What training and processing jobs have in common."""

    kind, group, entrypoint = "", "", ""

    def __init__(self, name: str, service: Any, logs: Any) -> None:
        self.name, self._service, self._logs = name, service, logs
        self.where = f"job {name} at SageMaker"
        self._tokens: dict[str, str] = {}

    @classmethod
    def running(cls, service: Any, job: Job) -> str:
        """The name of a job that does this very thing now; "" if there is none."""
        listed = getattr(service, f"list_{cls.kind}_jobs")
        for one in listed(NameContains=_stem(job), StatusEquals="InProgress")[f"{cls.kind.title()}JobSummaries"]:
            about = cls._described(service, str(one[f"{cls.kind.title()}JobName"]))
            container = about[cls.entrypoint]
            command = [*container.get("ContainerEntrypoint", []), *container.get("ContainerArguments", [])]
            if command == job.command and about[f"{cls.kind.title()}JobStatus"] == "InProgress":
                return str(one[f"{cls.kind.title()}JobName"])
        return ""

    @classmethod
    def start(cls, service: Any, request: dict[str, Any]) -> None:
        """Ask for the job."""
        getattr(service, f"create_{cls.kind}_job")(**request)

    def state(self) -> State:
        """As `RemoteJob.state`."""
        with _refusing("say how the job stands"):
            about = self._described(self._service, self.name)
        word = about[f"{self.kind.title()}JobStatus"]
        if word in ("Failed", "Stopped"):
            reasons = [str(about[key]) for key in ("FailureReason", "ExitMessage") if about.get(key)]
            advice = f"Its log is in CloudWatch, {self.group}, {self.name}: correct what it says, run the step again."
            ended = "it was stopped there, or its time was over." if word == "Stopped" else ""
            return State(word, True, " ".join(filter(None, [*reasons, ended, advice])))
        more = about.get("SecondaryStatus", word)
        return State(word if more == word else f"{word}, {more}", word == "Completed")

    def lines(self) -> list[str]:
        """As `RemoteJob.lines`: what CloudWatch has, which is seconds behind."""
        from botocore.exceptions import ClientError

        found: list[str] = []
        try:
            with _refusing("give the job's log", leave=("ResourceNotFoundException",)):
                streams = self._logs.describe_log_streams(logGroupName=self.group, logStreamNamePrefix=f"{self.name}/")[
                    "logStreams"
                ]
                for stream in streams:
                    found += self._read(stream["logStreamName"])
        except ClientError:  # nothing was written yet
            return []
        return found

    def _read(self, stream: str) -> Iterator[str]:
        while True:
            seen = {"nextToken": self._tokens[stream]} if stream in self._tokens else {}
            page = self._logs.get_log_events(logGroupName=self.group, logStreamName=stream, startFromHead=True, **seen)
            yield from (str(event["message"]).rstrip() for event in page["events"])
            if self._tokens.get(stream) == page["nextForwardToken"] or not page["events"]:
                return
            self._tokens[stream] = page["nextForwardToken"]

    def stop(self) -> None:
        """As `RemoteJob.stop`; one that has just ended is stopped."""
        from botocore.exceptions import ClientError

        try:
            with _refusing("stop the job", leave=("ValidationException", "ResourceNotFound")):
                getattr(self._service, f"stop_{self.kind}_job")(**{f"{self.kind.title()}JobName": self.name})
        except ClientError:
            return

    @classmethod
    def _described(cls, service: Any, name: str) -> dict[str, Any]:
        return dict(getattr(service, f"describe_{cls.kind}_job")(**{f"{cls.kind.title()}JobName": name}))


class _Training(_Remote):
    kind, group, entrypoint = "training", "/aws/sagemaker/TrainingJobs", "AlgorithmSpecification"


class _Processing(_Remote):
    kind, group, entrypoint = "processing", "/aws/sagemaker/ProcessingJobs", "AppSpecification"


def _client(service: str, said: Callable[[str], Any]) -> Any:
    try:
        import boto3
    except ImportError as error:
        raise PackageMissing(
            "LAUNCHER = sagemaker needs the package boto3: pip install 'evergreen[experiment-remote]'."
        ) from error
    with _refusing("be reached"):
        return boto3.session.Session(region_name=said("REGION") or None).client(
            service, endpoint_url=said("ENDPOINT_URL") or None
        )


@contextmanager
def _refusing(what: str, leave: tuple[str, ...] = ()) -> Iterator[None]:
    """What AWS refuses in the block is `LaunchFailed`, an outage `Unreachable`; errors of the codes `leave` pass."""
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in leave:
            raise
        if code in _AGAIN_LATER or status >= 500:
            raise Unreachable(f"AWS answered {code or status}") from error
        raise LaunchFailed(
            f"AWS would not {what}: {error}. Correct [sagemaker] in settings.ini, or the rights of your credentials."
        ) from error
    except (ConnectionError, HTTPClientError) as error:
        raise Unreachable(str(error)) from error
    except (BotoCoreError, ValueError) as error:  # no credentials, no region, a value that cannot be
        raise LaunchFailed(
            f"SageMaker cannot be asked to {what}: {error} Give REGION in settings.ini, and credentials as AWS's own "
            "command line takes them."
        ) from error


def _stem(job: Job) -> str:
    """How the names of the job begin: SageMaker takes each name once, so the time comes behind it."""
    return job.name[: _LONGEST_NAME - len("-20261121-000000")].rstrip("-")


def _environment(job: Job) -> dict[str, str]:
    for name, value in job.environment.items():
        if len(value) > _LONGEST_VALUE:
            raise LaunchFailed(
                f"The variable {name} has over {_LONGEST_VALUE} characters, which SageMaker refuses: cut it."
            )
    return dict(job.environment)


def _instance(request: dict[str, Any]) -> str:
    machine = request.get("ResourceConfig") or request["ProcessingResources"]["ClusterConfig"]
    spot = ", spot" if request.get("EnableManagedSpotTraining") else ""
    return f"{machine['InstanceType']}, {machine['VolumeSizeInGB']} GB{spot}"
