"""The settings that every host of a kind has, as on IRIS: alerts, retries, a delay between messages."""

import math
from dataclasses import dataclass
from typing import Any

from irislite.config import Item, flag
from irislite.errors import ProductionError
from irislite.header import BusinessType

ACTIONS = frozenset("CFRSW")  # complete, fail, retry, suspend, warn


@dataclass(frozen=True, slots=True)
class Known:
    """A setting that the runtime itself goes by."""

    name: str
    type: str
    default: Any
    category: str
    description: str


_ALERT_ON_ERROR = Known(
    "AlertOnError", "Boolean", False, "Alerting Control", "Send an alert to Ens.Alert when a message ends in error."
)
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
        "What is done when the component raises, as in E<ConnectionError>=R,E*busy=R,E=F. "
        "R retry, F fail, S suspend, W warn and complete, C complete.",
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


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `ReplyCodeActions`: which exceptions, and what is done then, as letters."""

    actions: str
    class_name: str = ""
    text: str = ""

    def fits(self, error: BaseException) -> bool:
        """Whether it is for this exception: by the name of its class or a base, or by a part of its text."""
        if self.class_name and all(self.class_name != base.__name__ for base in type(error).__mro__):
            return False
        return self.text in f"{type(error).__name__}: {error}"


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

    def actions_on(self, error: BaseException) -> str:
        """The letters of the first rule that fits; F if none does."""
        return next((rule.actions for rule in self.rules if rule.fits(error)), "F")


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
    )


def problem(name: str, kind: BusinessType) -> str | None:
    """Why a setting does nothing, or None if the runtime goes by it."""
    if any(known.name == name for known in BY_KIND.get(kind, ())):
        return None
    if name in NOT_IMPLEMENTED:
        return f"The setting {name} has no effect: IRIS has it, irislite does not for this kind of host. Remove it."
    return f"The setting {name} has no effect: neither irislite nor the component knows it."


def item_problems(item: Item) -> list[str]:
    """A sentence for each attribute of an item that does nothing here."""
    problems = []
    if item.schedule:
        problems.append(
            f"The schedule {item.schedule!r} has no effect: irislite has no schedules, the item runs all the time. "
            "Remove it, or enable and disable the item by `iop`."
        )
    if item.foreground:
        problems.append("Foreground has no effect: items run in threads, without windows of their own.")
    return problems


def _flag(item: Item, name: str, text: str) -> bool:
    if text and text.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
        raise ProductionError(f"{name} of {item.name} is {text!r}: write true or false.")
    return flag(text, False)


def _number(item: Item, name: str, text: str, default: float, least: float = 0.0) -> float:
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # -1 is the one negative number that means something.
    if not (number == least or 0 <= number < 1e9):
        or_ever = ", or -1" if least < 0 else ""
        raise ProductionError(f"{name} of {item.name} is {text!r}: write a number, 0 or more{or_ever}.")
    return number


def _rules(item: Item, text: str) -> tuple[Rule, ...]:
    return tuple(_rule(item, part.strip()) for part in text.split(",") if part.strip())


def _rule(item: Item, text: str) -> Rule:
    code, _, letters = (part.strip() for part in text.rpartition("="))
    letters = letters.upper()
    if not letters or not set(letters) <= ACTIONS:
        raise ProductionError(
            f"ReplyCodeActions of {item.name} has {text!r}: write code=action, as in E=R. The actions here are "
            "R (retry), F (fail), S (suspend), W (warn and complete) and C (complete)."
        )
    if code == "E":
        return Rule(letters)
    if code.startswith("E*"):
        return Rule(letters, text=code[2:])
    if code.startswith("E<") and code.endswith(">") and code[2:-1].isidentifier():
        return Rule(letters, class_name=code[2:-1])
    raise ProductionError(
        f"ReplyCodeActions of {item.name} has the code {code!r}: write E (any error), E*text (its text has it) or "
        "E<ValueError> (the exception's class, or one it extends)."
    )
