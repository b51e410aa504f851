"""The JSON twin of the room System: health, configuration, jobs, queues, users, credentials, audit, upkeep."""

import dataclasses
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from irislite import audit
from irislite.actor import Role, acting
from irislite.environment import effective
from irislite.eventlog import LogType
from irislite.vault import LONGEST
from irislite.web import health, people, recordfiles
from irislite.web.accounts import Accounts
from irislite.web.api import Engine
from irislite.web.exports import Format
from irislite.web.failures import Failure
from irislite.web.models import Count, Id, LogLine, Text
from irislite.web.roles import needs
from irislite.web.users import LONGEST_PASSWORD, SHORTEST_PASSWORD, User

_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A file.", "content": {kind.media_type: {"schema": {"type": "string"}} for kind in Format}}
}
router = APIRouter(
    prefix="/api/irislite/system",
    tags=["system"],
    responses={status: {"model": Failure} for status in (400, 403, 404, 409, 422, 500)},
)
RoleName = Literal["viewer", "operator", "administrator"]
_WORDS: dict[Role, RoleName] = {
    Role.VIEWER: "viewer", Role.OPERATOR: "operator", Role.ADMINISTRATOR: "administrator",
}  # fmt: skip
Name = Annotated[Text, Path(max_length=100)]
Time = Annotated[str, Query(pattern=r"^(\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?)?$", description="UTC.")]


def accounts_of(request: Request) -> Accounts:
    """The accounts of the server."""
    accounts: Accounts = request.app.state.accounts
    return accounts


Who = Annotated[Accounts, Depends(accounts_of)]


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CheckResult(_Model):
    """Something that was looked at."""

    name: str
    state: Literal["ok", "warn", "bad"]
    text: str


class LoadNow(_Model):
    """What the process takes. Times in seconds, memory in bytes."""

    uptime_s: float
    cpu_s: float
    memory_bytes: int
    threads: int
    cores: int


class Health(BaseModel):
    """How the runtime is: `state` is the worst of its checks."""

    state: Literal["ok", "warn", "bad"]
    checks: list[CheckResult]
    load: LoadNow
    versions: dict[str, str]


class Setting(BaseModel):
    """A variable of the environment; `value` is what holds, `is_set` false where that is the default."""

    name: str
    value: str
    is_set: bool
    meaning: str


class Job(_Model):
    """A member of an item's pool, and the message it works on since a time in seconds since the epoch, or 0."""

    pool: str
    job: int
    state: str
    item: str
    message_id: int
    session_id: int
    since: float


class QueueNow(BaseModel):
    """An item's queue; `oldest` is the time (UTC) of the first message in it, empty for an empty one."""

    item: str
    waiting: int
    in_work: int
    oldest: str


class Me(BaseModel):
    """Who asks."""

    name: str
    role: RoleName


class Person(BaseModel):
    """A user; `is_owner`: the account of the environment, which cannot be changed here."""

    name: str
    role: RoleName
    disabled: bool
    is_owner: bool


class NewPerson(BaseModel):
    """A user to be made."""

    name: Text = Field(min_length=1, max_length=64)
    role: RoleName
    password: SecretStr = Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)


class PersonChange(BaseModel):
    """What changes; null stays as it is."""

    role: RoleName | None = None
    disabled: bool | None = None


class NewPassword(BaseModel):
    """Another password: its user is signed out everywhere."""

    password: SecretStr = Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)


class CredentialName(BaseModel):
    """A credential, without what is secret."""

    name: str
    username: str


class NewCredential(BaseModel):
    """What a credential holds from now on; the secret is never shown again."""

    username: Text = Field("", max_length=LONGEST)
    secret: SecretStr = Field(min_length=1, max_length=LONGEST)


class AuditEntry(_Model):
    """Who did what."""

    id: int
    time: str
    user: str
    role: str
    via: str
    client: str
    action: str
    target: str
    outcome: str
    detail: str


class Done(BaseModel):
    """What was done, in a sentence."""

    done: str


@router.get("/health")
def health_now(director: Engine) -> Health:
    """How the runtime is: production, items, queues, alerts, disk, backup; load and versions."""
    checks = health.checks(director)
    order = ("ok", "warn", "bad")
    return Health(
        state=max((check.state for check in checks), key=order.index),
        checks=[CheckResult.model_validate(check) for check in checks],
        load=LoadNow.model_validate(health.load()),
        versions=health.versions(),
    )


@router.get("/configuration")
def configuration() -> list[Setting]:
    """The environment variables that hold, secrets hidden."""
    return [
        Setting(name=variable.name, value=text, is_set=is_set, meaning=variable.meaning)
        for variable, text, is_set in effective()
    ]


@router.get("/jobs")
def jobs(director: Engine) -> list[Job]:
    """What every member of every pool does now."""
    found: list[Job] = []
    for item in director.items():
        for job in director.jobs(item.name):
            found.append(Job(pool=item.name, **dataclasses.asdict(job)))
    return found


@router.get("/queues")
def queues(director: Engine) -> list[QueueNow]:
    """What waits for each item, and since when."""
    found = []
    for item in director.items():
        first = director.waiting(item.name, 1) if item.queue_count or item.in_progress else []
        oldest = first[0].time_created if first else ""
        found.append(QueueNow(item=item.name, waiting=item.queue_count, in_work=item.in_progress, oldest=oldest))
    return found


@router.get("/alerts")
def alerts(director: Engine, top: Count = 100) -> list[LogLine]:
    """The newest alerts: failures of items that ask for them, and queues above their limits."""
    return [LogLine.model_validate(entry) for entry in director.eventlog.newest(top, LogType.ALERT)]


@router.get("/me")
def me() -> Me:
    """Who asks, and with which role."""
    actor = acting.get()
    return Me(name=actor.name, role=_WORDS[actor.role])


@router.get("/users")
@needs(Role.ADMINISTRATOR)
def users(accounts: Who) -> list[Person]:
    """Everyone who may sign in, and those who are disabled."""
    return [_person(user) for user in accounts.everyone()]


@router.post("/users", status_code=201)
@needs(Role.ADMINISTRATOR)
def add_user(accounts: Who, person: NewPerson) -> Person:
    """Make a user."""
    return _person(people.add(accounts, person.name, _role(person.role), person.password.get_secret_value()))


@router.patch("/users/{name}")
@needs(Role.ADMINISTRATOR)
def change_user(accounts: Who, name: Name, change: PersonChange) -> Person:
    """Give a user another role, or let them in or out."""
    role = _role(change.role) if change.role is not None else None
    return _person(people.change(accounts, name, role, change.disabled))


@router.put("/users/{name}/password")
@needs(Role.ADMINISTRATOR)
def set_password(accounts: Who, name: Name, new: NewPassword) -> Done:
    """Give a user another password."""
    user = people.set_password(accounts, name, new.password.get_secret_value())
    return Done(done=f"{user.name} has another password, and is signed out everywhere.")


@router.delete("/users/{name}")
@needs(Role.ADMINISTRATOR)
def remove_user(accounts: Who, name: Name) -> Done:
    """Remove a user."""
    people.remove(accounts, name)
    return Done(done=f"{name} is removed, and signed out everywhere.")


@router.get("/credentials")
@needs(Role.ADMINISTRATOR)
def credentials(director: Engine) -> list[CredentialName]:
    """The names of the credentials: what they hold is never shown."""
    return [CredentialName(name=name, username=username) for name, username in director.vault.names()]


@router.put("/credentials/{name}")
@needs(Role.ADMINISTRATOR)
def put_credential(director: Engine, name: Name, new: NewCredential) -> CredentialName:
    """Keep a credential, in place of one that was there."""
    is_new = director.vault.put(name, new.username, new.secret.get_secret_value())
    audit.tell("It is new." if is_new else "It replaces the one that was there.", name)
    return CredentialName(name=name, username=new.username)


@router.delete("/credentials/{name}")
@needs(Role.ADMINISTRATOR)
def remove_credential(director: Engine, name: Name) -> Done:
    """Forget a credential."""
    director.vault.remove(name)
    audit.tell("", name)
    return Done(done=f"The credential {name} is forgotten.")


@router.get("/audit")
@needs(Role.ADMINISTRATOR)
def audit_entries(
    director: Engine,
    limit: Count = 100,
    before_id: Id | None = None,
    user: str = "",
    outcome: Literal["", "done", "refused", "failed"] = "",
    text: Annotated[str, Query(description="In the action, the target or the detail, in any case.")] = "",
    since: Time = "",
    until: Time = "",
) -> list[AuditEntry]:
    """Who did what, newest first; `before_id` pages on."""
    found = director.audit.entries(limit, before_id, user, outcome, text, _time(since), _time(until))
    return [AuditEntry.model_validate(entry) for entry in found]


@router.get("/audit/export", response_class=Response, responses=_FILE)
@needs(Role.ADMINISTRATOR)
def export_audit(director: Engine, format: Format = Format.JSONL, since: Time = "", until: Time = "") -> Response:
    """The whole audit, or that of a time, newest first, as JSON lines or CSV."""
    return recordfiles.audit(director, format, _time(since), _time(until))


def _time(text: str) -> str:
    return text.replace("T", " ")


def _role(word: str) -> Role:
    return Role[word.upper()]


def _person(user: User) -> Person:
    return Person(name=user.name, role=_WORDS[user.role], disabled=user.disabled, is_owner=user.is_owner)
