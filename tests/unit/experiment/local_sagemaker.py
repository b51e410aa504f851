"""SageMaker and CloudWatch as far as a launcher asks them; a job's container is a process of this machine."""

import json
import threading
from typing import Any

from unit.experiment.serving import Container

Answer = tuple[int, Any]


class LocalSageMaker:
    """`jobs` by name: what was asked for, and the container. `trouble` is answered instead, request by request."""

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[dict[str, Any], Container]] = {}
        self.stopped: set[str] = set()
        self.trouble: list[Answer] = []
        self.asked: list[str] = []
        self._guard = threading.Lock()

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> Answer:
        action = headers["X-Amz-Target"].rpartition(".")[2]
        fields = json.loads(body)
        with self._guard:
            self.asked.append(action)
            if self.trouble:
                return self.trouble.pop(0)
            return getattr(self, f"_{action}")(fields)

    def _CreateTrainingJob(self, fields: dict[str, Any]) -> Answer:
        return self._create(fields["TrainingJobName"], fields, fields["AlgorithmSpecification"])

    def _CreateProcessingJob(self, fields: dict[str, Any]) -> Answer:
        return self._create(fields["ProcessingJobName"], fields, fields["AppSpecification"])

    def _create(self, name: str, fields: dict[str, Any], container: dict[str, Any]) -> Answer:
        if name in self.jobs:
            return refusal("ResourceInUse", f"Job name {name} is taken")
        command = [*container["ContainerEntrypoint"], *container["ContainerArguments"]]
        self.jobs[name] = (fields, Container(command, fields["Environment"]))
        return 200, {"TrainingJobArn": f"arn:aws:sagemaker:eu-central-1:1:job/{name}"}

    def _ListTrainingJobs(self, fields: dict[str, Any]) -> Answer:
        return 200, {"TrainingJobSummaries": [self._summary("Training", name) for name in self._known(fields)]}

    def _ListProcessingJobs(self, fields: dict[str, Any]) -> Answer:
        return 200, {"ProcessingJobSummaries": [self._summary("Processing", name) for name in self._known(fields)]}

    def _known(self, fields: dict[str, Any]) -> list[str]:
        return [
            name
            for name in self.jobs
            if fields["NameContains"] in name and self._status(name) == fields["StatusEquals"]
        ]

    def _summary(self, kind: str, name: str) -> dict[str, Any]:
        return {
            f"{kind}JobName": name,
            f"{kind}JobArn": "arn",
            "CreationTime": 1.0,
            f"{kind}JobStatus": self._status(name),
        }

    def _DescribeTrainingJob(self, fields: dict[str, Any]) -> Answer:
        name = fields["TrainingJobName"]
        status = self._status(name)
        second = {"InProgress": "Training"}.get(status, status)
        return 200, {**self._about("Training", name), "SecondaryStatus": second}

    def _DescribeProcessingJob(self, fields: dict[str, Any]) -> Answer:
        return 200, self._about("Processing", fields["ProcessingJobName"])

    def _about(self, kind: str, name: str) -> dict[str, Any]:
        fields, container = self.jobs[name]
        status = self._status(name)
        about = {**fields, f"{kind}JobStatus": status, f"{kind}JobArn": "arn", "CreationTime": 1.0}
        if status == "Failed":
            about["FailureReason"] = f"AlgorithmError: , exit code: {container.exit_code}"
        return about

    def _status(self, name: str) -> str:
        code = self.jobs[name][1].exit_code
        if name in self.stopped:
            return "Stopped"
        return "InProgress" if code is None else "Failed" if code else "Completed"

    def _StopTrainingJob(self, fields: dict[str, Any]) -> Answer:
        return self._stop(fields["TrainingJobName"])

    def _StopProcessingJob(self, fields: dict[str, Any]) -> Answer:
        return self._stop(fields["ProcessingJobName"])

    def _stop(self, name: str) -> Answer:
        if self._status(name) != "InProgress":
            return refusal("ValidationException", f"The job {name} is not running")
        self.stopped.add(name)
        self.jobs[name][1].kill()
        return 200, {}

    # -- CloudWatch ----------------------------------------------------------------------------------------------------

    def _DescribeLogStreams(self, fields: dict[str, Any]) -> Answer:
        name = fields["logStreamNamePrefix"].rstrip("/")
        if name not in self.jobs or not self.jobs[name][1].lines:
            return refusal("ResourceNotFoundException", "The specified log group does not exist.")
        return 200, {"logStreams": [{"logStreamName": f"{name}/algo-1-1700000000"}]}

    def _GetLogEvents(self, fields: dict[str, Any]) -> Answer:
        name = fields["logStreamName"].partition("/")[0]
        first = int(fields.get("nextToken", "f/0")[2:])
        lines = self.jobs[name][1].lines[first : first + 2]  # small pages, so that tokens are needed
        events = [{"timestamp": int(at * 1000), "message": line, "ingestionTime": 1} for at, line in lines]
        last = f"f/{first + len(lines)}"
        return 200, {"events": events, "nextForwardToken": last, "nextBackwardToken": "b/0"}


def refusal(code: str, message: str, status: int = 400) -> Answer:
    """An error as AWS answers it."""
    return status, {"__type": code, "message": message}
