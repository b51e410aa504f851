"""What a message class declares, and the examples that are found for it."""

from collections.abc import Callable

from irislite.director import Director

COMPONENTS = '''
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Literal, Optional
from iop import BusinessOperation, Message, PydanticMessage, handler


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


@dataclass
class Many(Message):
    must: str
    text: str = "tea"
    count: int = 3
    share: float = 0.5
    really: bool = False
    perhaps: Optional[int] = None
    later: str | None = None
    size: Literal["small", "large"] = "small"
    mood: Mood = Mood.GOOD
    anything: Any = None
    rows: list[str] = field(default_factory=list)

    EXAMPLE: ClassVar[dict] = {"must": "x"}
    EXAMPLES: ClassVar[dict] = {"the same": {"must": "x"}, "two": {"must": "y", "count": 2}}


class Typed(PydanticMessage):
    name: str
    number: int = 1


@dataclass
class Fitting(Message):
    text: str = ""


@dataclass
class Bare(Message):
    rows: list = field(default_factory=list)


class Host(BusinessOperation):
    @classmethod
    def examples(cls, settings):
        return {Fitting: [("a greeting", {"text": settings.get("word", "")}), ("nothing", {})]}

    @handler(Many)
    def on_many(self, request: Many):
        """Takes many things.

        And more.
        """

    @handler(Typed)
    def on_typed(self, request: Typed): ...

    @handler(Fitting)
    def on_fitting(self, request: Fitting): ...

    @handler(Bare)
    def on_bare(self, request: Bare): ...
'''
ITEMS = 'p.operation("Host", c.Host, settings={"%settings": "word=hello"})'


def test_fields_and_examples(run_production: Callable[..., Director]) -> None:
    found = {
        known.name.rpartition(".")[2]: known for known in run_production(COMPONENTS, ITEMS).request_classes("Host")
    }
    many = found["Many"]
    assert many.description == "Takes many things."
    assert [(field.name, field.type, field.default, field.required, field.choices) for field in many.fields] == [
        ("must", "text", "", True, ()), ("text", "text", "tea", False, ()), ("count", "integer", 3, False, ()),
        ("share", "number", 0.5, False, ()), ("really", "yes or no", False, False, ()),
        ("perhaps", "integer", None, False, ()), ("later", "text", None, False, ()),
        ("size", "text", "small", False, ("small", "large")), ("mood", "text", "good", False, ("good", "bad")),
        ("anything", "JSON", None, False, ()), ("rows", "JSON", [], False, ()),
    ]  # fmt: skip
    assert [(example.label, example.body) for example in many.examples] == [
        ("example", {"must": "x"}), ("two", {"must": "y", "count": 2}),
    ]  # fmt: skip
    assert many.template == {"must": "x"}
    assert [(field.name, field.required) for field in found["Typed"].fields] == [("name", True), ("number", False)]
    assert found["Typed"].template == {"name": "", "number": 1}
    assert [(example.label, example.body) for example in found["Fitting"].examples] == [
        ("a greeting", {"text": "hello"}), ("nothing", {}),
    ]  # fmt: skip
    assert found["Fitting"].template == {"text": "hello"}
    assert found["Bare"].template == {"rows": []} and found["Bare"].examples == ()
