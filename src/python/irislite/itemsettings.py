"""The settings that every host of a kind has, as on IRIS: alerts, retries, a delay between messages."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from irislite import schedule
from irislite.config import Item, flag
from irislite.errors import ProductionError, near
from irislite.header import BusinessType
from irislite.schedule import Schedule

ACTIONS = frozenset("CDFRSW")  # complete, disable, fail, retry, suspend, warn
PYTHON_ERROR = "5002"  # the status code that IRIS gives what Python code raises
_STATUS_CODE = re.compile(r"ERROR #?(\d+|<Ens>\w+):")  # as an error that IRIS's status carries begins
_COMMA = re.compile(r",(?![^()]*\))")  # not one inside (code,code)


@dataclass(frozen=True, slots=True)
class Known:
    """A setting that the runtime itself goes by."""

    name: str
    type: str
    default: Any
    category: str
    description: str


_ALERT_ON_ERROR = Known(
    "AlertOnError", "Boolean", False, "Alerting Control",
    "Send an alert to Ens.Alert when a message ends in error, or the item does not start.",
)  # fmt: skip
_THROTTLE = Known(
    "ThrottleDelay", "Integer", 0, "Additional Settings", "Milliseconds that each pool member waits after a message."
)
_QUEUE_ALERTS = (
    Known(
        "QueueCountAlert", "Integer", 0, "Alerting Control",
        "Send an alert when so many messages wait, and again after it were fewer than 80 % of it; 0: never.",
    ),
    Known(
        "QueueWaitAlert", "Numeric", 0, "Alerting Control",
        "Send an alert when the oldest message waits or is worked on for so many seconds; 0: never.",
    ),
)  # fmt: skip
_RETRY = (
    Known(
        "ReplyCodeActions", "String", "", "Additional Settings",
        "What is done when the component raises, as in E<ConnectionError>=R,E*busy=R,E=F, or does not answer, as in "
        "X=F. R retry, F fail, S suspend, D disable the item, W warn and complete, C complete.",
    ),
    Known("RetryInterval", "Numeric", 5, "Additional Settings", "Seconds between two tries of a message."),
    Known(
        "FailureTimeout", "Numeric", 15, "Additional Settings",
        "Seconds after its first try until a message is not tried again; -1: it is tried for ever.",
    ),
)  # fmt: skip
BY_KIND: dict[BusinessType, tuple[Known, ...]] = {
    BusinessType.SERVICE: (_ALERT_ON_ERROR, _THROTTLE),
    BusinessType.PROCESS: (_ALERT_ON_ERROR, *_QUEUE_ALERTS, _THROTTLE),
    BusinessType.OPERATION: (_ALERT_ON_ERROR, *_QUEUE_ALERTS, *_RETRY, _THROTTLE),
}
# IRIS's hosts have these; here they do nothing, and an item that sets one is told so.
NOT_IMPLEMENTED = frozenset(
    {"AlertGroups", "AlertRetryGracePeriod", "ArchiveIO", "BusinessPartner", "FailureTimeout", "GenerateSuperSessionID"}
    | {"InactivityTimeout", "IOLogEntry", "QueueCountAlert", "QueueWaitAlert", "ReplyCodeActions", "RetryInterval"}
    | {"SendSuperSession", "TargetConfigNames"}
)


class NoReply(Exception):
    """The component did not answer, and the item's `ReplyCodeActions` have an entry for that."""

    def __init__(self) -> None:
        super().__init__("the component gave no reply")


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `ReplyCodeActions`: which exceptions, or `NoReply`, and what is done then, as letters."""

    actions: str
    class_name: str = ""
    text: str = ""
    status_code: str = ""
    no_reply: bool = False

    def fits(self, error: BaseException) -> bool:
        """Whether it is for this exception: by its class or a base, by its status code or by a part of its text."""
        if self.no_reply or isinstance(error, NoReply):
            return self.no_reply and isinstance(error, NoReply)
        if self.class_name and all(self.class_name != base.__name__ for base in type(error).__mro__):
            return False
        if self.status_code and self.status_code != status_code(error):
            return False
        return self.text in f"{type(error).__name__}: {error}"


def status_code(error: BaseException) -> str:
    """The code of the status that an exception carries in its text; that of any Python error if it carries none."""
    match = _STATUS_CODE.search(str(error))
    return match[1] if match else PYTHON_ERROR


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What an item's settings ask of the runtime; the defaults ask nothing."""

    alert_on_error: bool = False
    queue_count_alert: int = 0
    queue_wait_alert_s: float = 0.0
    throttle_delay_s: float = 0.0
    rules: tuple[Rule, ...] = ()
    retry_interval_s: float = 5.0
    failure_timeout_s: float = 15.0  # infinite: tried for ever
    schedule: Schedule | None = None

    def actions_on(self, error: BaseException) -> str:
        """The letters of the first rule that fits, W alone aside, and W if such a one fits too; F if none does."""
        fitting = [rule.actions for rule in self.rules if rule.fits(error)]
        actions = next((letters for letters in fitting if letters != "W"), "")
        if "W" in fitting and "R" not in actions:  # a retry warns by itself
            actions += "W"
        return actions or "F"

    @property
    def wants_reply(self) -> bool:
        """Whether no answer is something to act on."""
        return any(rule.no_reply for rule in self.rules)


def read(item: Item, kind: BusinessType) -> HostSettings:
    """What an item's settings ask. Raises `ProductionError` that says what to write."""
    names = {known.name for known in BY_KIND.get(kind, ())}

    def text(name: str) -> str:
        return (item.setting(name) or "").strip() if name in names else ""

    timeout_s = _number(item, "FailureTimeout", text("FailureTimeout"), 15.0, -1.0)
    return HostSettings(
        alert_on_error=_flag(item, "AlertOnError", text("AlertOnError")),
        queue_count_alert=math.ceil(_number(item, "QueueCountAlert", text("QueueCountAlert"), 0.0)),
        queue_wait_alert_s=_number(item, "QueueWaitAlert", text("QueueWaitAlert"), 0.0),
        throttle_delay_s=_number(item, "ThrottleDelay", text("ThrottleDelay"), 0.0) / 1_000,
        rules=_rules(item, text("ReplyCodeActions")),
        retry_interval_s=_number(item, "RetryInterval", text("RetryInterval"), 5.0),
        failure_timeout_s=math.inf if timeout_s < 0 else timeout_s,
        schedule=schedule_of(item),
    )


def alerts_on_error(item: Item) -> bool:
    """Whether an item has AlertOnError, whatever its other settings say."""
    return flag((item.setting("AlertOnError") or "").strip(), False)


def schedule_of(item: Item) -> Schedule | None:
    """When an item runs; None for one without a schedule. Raises `ProductionError` that says what to write."""
    return schedule.parse(item.schedule.strip(), item.name) if item.schedule.strip() else None


def call_interval_s(item: Item) -> float:
    """Seconds from one look of a service for input to the next. Raises `ProductionError`."""
    text = (item.setting("CallInterval", "Adapter") or item.setting("CallInterval") or "").strip()
    seconds = _parsed(text) if text else 5.0
    if not 0 < seconds < 1e9:
        raise ProductionError(f"CallInterval is {text!r}: set it to seconds, as in 5.")
    return seconds


def keepalive_interval_s(item: Item) -> float:
    """Seconds without work after which an adapter gives its sign of life; 0: never. Raises `ProductionError`."""
    return _number(item, "KeepaliveInterval", (item.setting("KeepaliveInterval", "Adapter") or "").strip(), 0.0)


def problem(name: str, kind: BusinessType, declared: Iterable[str] = ()) -> str | None:
    """Why a setting that the class has not `declared` does nothing, or None if the runtime goes by it."""
    known = {setting.name for setting in BY_KIND.get(kind, ())}
    if name in known:
        return None
    if name in NOT_IMPLEMENTED:
        return f"The setting {name} has no effect: IRIS has it, irislite does not for this kind of host. Remove it."
    there = near(name, known.union(declared))
    return f"The setting {name} has no effect: neither irislite nor the component knows it.{there}"


def item_problems(item: Item) -> list[str]:
    """A sentence for each attribute of an item that does nothing here."""
    if item.foreground:
        return ["Foreground has no effect: items run in threads, without windows of their own."]
    return []


def _flag(item: Item, name: str, text: str) -> bool:
    if text and text.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ProductionError(f"{name} of {item.name} is {text!r}: write true or false.")
    return flag(text, False)


def _number(item: Item, name: str, text: str, default: float, least: float = 0.0) -> float:
    if not text:
        return default
    number = _parsed(text)
    # -1 is the one negative number that means something.
    if not (number == least or 0 <= number < 1e9):
        or_ever = ", or -1" if least < 0 else ""
        raise ProductionError(f"{name} of {item.name} is {text!r}: write a number, 0 or more{or_ever}.")
    return number


def _parsed(text: str) -> float:
    """The number that a text is; no number at all for any other text."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _rules(item: Item, text: str) -> tuple[Rule, ...]:
    return tuple(rule for part in _COMMA.split(text) if part.strip() for rule in _entry(item, part.strip()))


def _entry(item: Item, text: str) -> list[Rule]:
    codes, _, letters = (part.strip() for part in text.rpartition("="))
    letters = letters.upper()
    if not letters or not set(letters) <= ACTIONS:
        raise ProductionError(
            f"ReplyCodeActions of {item.name} has {text!r}: write code=action, as in E=R. The actions here are "
            "R (retry), F (fail), S (suspend), D (disable the item), W (warn and complete) and C (complete)."
        )
    if codes.startswith("(") and codes.endswith(")"):
        return [_rule(item, code.strip(), letters) for code in codes[1:-1].split(",")]
    return [_rule(item, codes, letters)]


def _rule(item: Item, code: str, letters: str) -> Rule:
    if code == "E":
        return Rule(letters)
    if code == "X":
        return Rule(letters, no_reply=True)
    if code.startswith("E*"):
        return Rule(letters, text=code[2:])
    if re.fullmatch(r"E#(\d+|<Ens>\w+)", code):
        return Rule(letters, status_code=code[2:])
    if code.startswith("E<") and code.endswith(">") and code[2:-1].isidentifier():
        return Rule(letters, class_name=code[2:-1])
    why = "codes with a colon are for HL7, X12 and EDIFACT answers, which irislite has not; " if ":" in code else ""
    raise ProductionError(
        f"ReplyCodeActions of {item.name} has the code {code!r}: {why}write E (any error), E*text (its text has it), "
        "E#5002 (its status code), E<ValueError> (the exception's class, or one it extends) or X (no reply)."
    )
