"""Requests that nobody would send: every operation of the REST service, made from its own description.

The strategies read /openapi.json, so a new endpoint is fuzzed as soon as it is there. What is
asked of every answer: it comes, it is JSON, an error says something, and it is none that the
runtime did not expect. After every few requests a good message must still be answered.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

# An item that is removed is not there to be asked; test_assembly.py removes items.
REMOVAL = ("delete", "/api/irislite/items/{name}")
COMPONENTS = """
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Optional

from iop import BusinessOperation, BusinessProcess, BusinessService, Message, PydanticMessage, handler, setting


@dataclass
class Ask(Message):
    text: str = ""


@dataclass
class Inner:
    number: int = 0
    tags: list[str] = field(default_factory=list)


@dataclass
class Typed(Message):
    number: int
    ratio: float = 0.5
    flag: bool = False
    day: Optional[date] = None
    moment: Optional[datetime] = None
    raw: bytes = b""
    inner: Optional[Inner] = None
    inners: list[Inner] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)


class Strict(PydanticMessage):
    number: int
    name: str = ""
    more: dict[str, float] = {}


class Greeter(BusinessOperation):
    greeting = setting("Hello", description="What is said first.")
    number = setting(7, description="A whole number.")

    @handler(Ask)
    def ask(self, request: Ask):
        return Ask(text=f"{self.greeting} {request.text}")

    @handler(Typed)
    def typed(self, request: Typed):
        return request

    @handler(Strict)
    def strict(self, request: Strict):
        return request

    def on_message(self, request):
        return Ask(text=str(request))


class Relay(BusinessProcess):
    @handler(Ask)
    def ask(self, request: Ask):
        return self.send_request_sync("Greeter", request, timeout=60)

    @handler(Typed)
    def typed(self, request: Typed):
        self.send_request_async("Greeter", request, completion_key=str(request.number))

    def on_response(self, request, response, call_request, call_response, completion_key):
        return call_response


class Door(BusinessService):
    pass
"""
FILES = ("", "x = 1", "PRODUCTIONS = [", "raise ValueError('no')", "import not_there_at_all", "PRODUCTIONS = [7]",
         "PRODUCTIONS = []", "CLASSES = {'A': 7}", "CLASSES = 7", "import settings")  # fmt: skip
# What the operations are about: most of the cases go where most can go wrong.
WEIGHTS = {"/api/iop/test": 12, "/api/irislite/items/{name}/settings": 8, "/api/iop/migrate": 2}
EDGES = (-(2**70), -(2**63), -1, 0, 1, 2, 3, 9, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**70)
ITEMS = ("Greeter", "Relay", "Door", "Off/Line")
PARAMETERS = {"namespace": ("IRISAPP",), "name": ITEMS, "target": ITEMS, "item": ITEMS}
FIELDS = {
    "namespace": ("IRISAPP",), "component": ITEMS, "item": ITEMS, "package": ("python",),
    "settings_file": ("settings.py",), "target": ("Host", "Adapter"),
    "name": ("greeting", "number", "%settings", "%classpaths", "CallInterval", "settings.py", "other.py"),
}  # fmt: skip
CHECK_EVERY = 10  # requests
TIMEOUT_S = 30.0
UNEXPECTED = "did not expect"  # the words of the runtime's last resort


@dataclass(frozen=True)
class Target:
    """A running server, and what there is to name in a request. `call` sends a signed-in one."""

    call: Callable[..., requests.Response]
    module: str
    production: str

    @property
    def words(self) -> tuple[str, ...]:
        """Names that lead somewhere."""
        classes = [f"{self.module}.{name}" for name in ("Ask", "Typed", "Strict", "Inner", "Greeter", "Nothing")]
        return (
            "Greeter", "Relay", "Door", "Off/Line", "Ens.Actor", "Nobody", "", self.production, *classes, self.module,
            "IOP.Message", "Ens.Request", "Ens.StringRequest", "Grongier.PEX.Message", "%settings", "%module",
            "%classname", "%classpaths", "greeting", "number", "CallInterval", "PoolSize", "Host", "Adapter",
            "IRISAPP", "USER", "python", "settings.py", "a/b.py", "../x.py", "greeting=Bye\nnumber=x\n=\nname", "null",
        )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One request."""

    operation: str  # method and path as described
    method: str
    path: str
    query: dict[str, str]
    body: bytes | None

    def __str__(self) -> str:
        body = repr(self.body)
        return f"{self.method} {self.path} {self.query or ''} {body if len(body) < 600 else body[:600] + '...'}"


@dataclass
class Report:
    """What was answered, and what should not have been."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    checks: int = 0

    @property
    def examples(self) -> int:
        """How many requests were sent."""
        return self.answers.total()


def run(
    target: Target, examples: int, derandomize: bool = True, told: Callable[[str], None] = lambda text: None
) -> Report:
    """Send about `examples` requests, spread over all operations, and look at every answer."""
    report = Report()
    found = list(operations(target))
    weights = [WEIGHTS.get(path, 1) for _, path, _ in found]
    for (method, path, description), weight in zip(found, weights, strict=True):
        share = max(3, examples * weight // sum(weights))
        told(f"{method} {path}: {share}")
        _run_one(target, case(target, method, path, description), share, derandomize, report)
    return report


def _run_one(target: Target, cases: st.SearchStrategy[Case], examples: int, derandomize: bool, report: Report) -> None:
    recent: list[Case] = []

    @settings(max_examples=examples, derandomize=derandomize, deadline=None, database=None,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(cases)
    def send(one: Case) -> None:
        recent.append(one)
        _look_at(target, one, report)
        if len(recent) >= CHECK_EVERY:
            _still_answers(target, recent, report)
            recent.clear()

    send()
    _still_answers(target, recent, report)


def _look_at(target: Target, one: Case, report: Report) -> None:
    headers = {"Content-Type": "application/json"} if one.body is not None else {}
    try:
        answer = target.call(one.method, one.path, params=one.query, data=one.body, headers=headers)
    except requests.RequestException as error:
        report.answers[one.operation, 0] += 1
        report.findings.append(f"No answer ({type(error).__name__}): {one}")
        return
    report.answers[one.operation, answer.status_code] += 1
    problem = problem_of(answer)
    if problem:
        report.findings.append(f"{answer.status_code} {problem}: {one} -> {answer.text[:300]}")


def problem_of(answer: requests.Response) -> str:
    """What is wrong with an answer, or nothing."""
    if answer.status_code < 400 and "json" not in answer.headers.get("content-type", ""):
        return ""  # a file to download
    try:
        content = json.loads(answer.content.decode("utf-8"), parse_constant=_no_constant)
    except ValueError as error:
        return f"is no valid JSON ({error})"
    if answer.status_code < 400:
        return ""
    text = content.get("error") if isinstance(content, dict) else None
    if not isinstance(text, str) or not text.strip():
        return "is an error without words"
    return "is an error that nobody expected" if UNEXPECTED in text else ""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _still_answers(target: Target, recent: list[Case], report: Report) -> None:
    """A good message is answered; what the requests have stopped or changed is put back before."""
    report.checks += 1
    try:
        if not _is_as_it_was(target):
            _put_back(target)
        good = {"target": "Greeter", "classname": f"{target.module}.Ask", "body": {"text": "you"}, "restart": False}
        answer = target.call("POST", "/api/iop/test", json={**good, "timeout": 10})
        problem = "" if "Hello you" in answer.text else f"{answer.status_code} {answer.text[:300]}"
    except requests.RequestException as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        before = "\n    ".join(map(str, recent))
        report.findings.append(f"A good message is not answered any more: {problem}, after\n    {before}")


def _is_as_it_was(target: Target) -> bool:
    status = target.call("GET", "/api/iop/status").json()
    if status.get("production") != target.production or status.get("status") not in ("running", "troubled"):
        return False
    item = target.call("GET", "/api/irislite/items/Greeter").json()
    return item.get("state") == "running" and not _changes_back(target) and item.get("pool_size") == 1


def _changes_back(target: Target) -> list[dict[str, Any]]:
    rows = target.call("GET", "/api/irislite/items/Greeter/settings").json()
    return [{"target": row["target"], "name": row["name"], "value": None} for row in rows if row["value"] is not None
            and row["name"] not in ("%module", "%classname")]  # fmt: skip


def _put_back(target: Target) -> None:
    running = target.call("GET", "/api/iop/status").json()
    if running.get("production") != target.production:
        target.call("POST", "/api/iop/stop", json={})
    target.call("POST", "/api/iop/start", json={"production": target.production})
    settings_path = "/api/irislite/items/Greeter/settings"
    target.call("PUT", settings_path, json={"settings": _changes_back(target), "pool_size": 1})
    target.call("POST", "/api/iop/component/start", json={"component": "Greeter"})


# -- what is sent --------------------------------------------------------------------------------


def operations(target: Target) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation that answers with JSON: its method, its path, its description."""
    description = target.call("GET", "/openapi.json").json()
    for path, methods in description["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in methods.items():
            if (method, path) == REMOVAL or not _answers_json(operation):
                continue
            yield method.upper(), path, {**operation, "schemas": description["components"]["schemas"]}


def _answers_json(operation: dict[str, Any]) -> bool:
    described = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    return any("application/json" in answer.get("content", {}) for answer in described)


def case(target: Target, method: str, path: str, description: dict[str, Any]) -> st.SearchStrategy[Case]:
    """Requests of one operation: mostly as they are described, with values at the edges, sometimes junk."""
    schemas, named = description["schemas"], description.get("parameters", [])
    in_path = {one["name"]: _parameter(target, one, schemas) for one in named if one["in"] == "path"}
    in_query = {one["name"]: _parameter(target, one, schemas) for one in named if one["in"] == "query"}
    body: st.SearchStrategy[bytes | None] = st.none()
    if method in ("POST", "PUT", "PATCH"):
        schema = description.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        shaped = test_body(target) if path == "/api/iop/test" else value(target, schema, schemas)
        body = often(shaped.map(to_json), st.one_of(st.binary(max_size=40), junk().map(to_json)))

    def build(path_values: dict[str, str], query: dict[str, str], content: bytes | None) -> Case:
        filled = path
        for name, text in path_values.items():
            filled = filled.replace(f"{{{name}}}", quote(text, safe="") or "%20").replace(
                f"{{{name}:path}}", quote(text)
            )
        return Case(f"{method} {path}", method, filled, query, content)

    return st.builds(build, st.fixed_dictionaries(in_path), st.fixed_dictionaries({}, optional=in_query), body)


def test_body(target: Target) -> st.SearchStrategy[dict[str, Any]]:
    """Tests of items: real message classes with JSON that nearly fits, and everything around it."""
    number = st.one_of(st.sampled_from(EDGES), st.floats(), st.text(max_size=5), st.none(), st.booleans())
    inner = st.fixed_dictionaries({}, optional={"number": number, "tags": junk()})
    fields = st.fixed_dictionaries({}, optional={
        "text": st.one_of(text(target), st.text(max_size=2_000)), "number": number, "ratio": number, "flag": number,
        "day": st.one_of(st.dates().map(str), junk()), "moment": st.one_of(st.datetimes().map(str), junk()),
        "raw": st.one_of(st.text(max_size=20), junk()), "inner": st.one_of(inner, junk()),
        "inners": st.one_of(st.lists(inner, max_size=3), junk()), "more": junk(), "name": junk(),
        "api_key": junk(), "_iris_id": junk(), "iris_handle": junk(), "__class__": junk(), "": junk(),
    })  # fmt: skip
    odd = st.sampled_from(
        ["", "{", "[1]", '{"text": NaN}', "[" * 3_000, '{"text": "\\ud800"}', '{"a":1,"a":2}', "null"]
    )
    message = often(fields, junk())
    classes = st.sampled_from([f"{target.module}.{name}" for name in ("Ask", "Typed", "Strict")])
    carrier = st.fixed_dictionaries({}, optional={"classname": st.one_of(classes, junk()), "json": junk()})
    return st.fixed_dictionaries(
        {"target": often(st.sampled_from(["Greeter", "Greeter", "Relay"]), text(target)),
         "classname": often(classes, text(target)),
         "body": st.one_of(message, message.map(lambda value: to_json(value).decode()), odd, carrier),
         # IRIS restarts the target by default; here seldom, for its time.
         "restart": often(st.just(False), st.one_of(st.booleans(), junk())),
         "timeout": st.one_of(st.just(5), st.just(5.0), st.sampled_from([0.001, 0, -1, 1e9, 10**30, "5"]))},
        optional={"wait": st.booleans(), "request_type": often(st.just(""), text(target)),
                  "namespace": often(st.just("IRISAPP"), text(target))},
    )  # fmt: skip


def value(target: Target, schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a JSON schema, and now and then something else."""
    if "$ref" in schema:
        return value(target, schemas[schema["$ref"].rpartition("/")[2]], schemas, depth)
    if "anyOf" in schema or "oneOf" in schema:
        kinds = schema.get("anyOf") or schema["oneOf"]
        return st.one_of([value(target, kind, schemas, depth) for kind in kinds])
    if "enum" in schema or "const" in schema:
        return often(st.sampled_from(schema.get("enum") or [schema["const"]]), text(target))
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        fields = {
            name: named(target, FIELDS, name, value(target, inner, schemas, depth + 1))
            for name, inner in schema["properties"].items()
        }
        if "data" in fields:  # code that will be run: only what is known
            fields["data"] = st.sampled_from(FILES)
        required = {name: fields.pop(name) for name in schema.get("required", []) if name in fields}
        whole = st.fixed_dictionaries(required, optional=fields)
        return often(whole, junk()) if depth else whole
    if kind == "array":
        return often(st.lists(value(target, schema.get("items", {}), schemas, depth + 1), max_size=4), junk())
    if kind in ("integer", "number"):
        return often(st.one_of(st.integers(0, 20), st.sampled_from(EDGES)), st.one_of(st.floats(), junk()))
    if kind == "boolean":
        return often(st.booleans(), junk())
    if kind == "string":
        return often(text(target), junk())
    if kind == "null":
        return st.none()
    return junk()


def named(
    target: Target, hints: dict[str, tuple[str, ...]], name: str, other: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """What leads somewhere for a parameter or a field of that name, and now and then something else."""
    words = (target.production, "") if name == "production" else hints.get(name, ())
    return often(st.sampled_from(words), other) if words else other


def _parameter(target: Target, one: dict[str, Any], schemas: dict[str, Any]) -> st.SearchStrategy[str]:
    return named(target, PARAMETERS, one["name"], value(target, one.get("schema", {}), schemas)).map(_as_text)


def _as_text(given_value: Any) -> str:
    words = given_value if isinstance(given_value, str) else json.dumps(given_value)
    return words.encode("utf-8", "replace").decode()  # an address is made of characters


def text(target: Target) -> st.SearchStrategy[str]:
    """Names that lead somewhere, texts that lead nowhere."""
    return st.one_of(st.sampled_from(target.words), st.sampled_from(target.words), st.text(max_size=30))


def junk() -> st.SearchStrategy[Any]:
    """Any JSON at all, numbers that are none and half characters included."""
    leaves = st.one_of(st.none(), st.booleans(), st.sampled_from(EDGES), st.floats(), st.text(max_size=20),
                       st.sampled_from(["\ud800", "\x00", "'; DROP TABLE message_header; --", "9" * 400]))  # fmt: skip
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
        max_leaves=6,
    )


def often(first: st.SearchStrategy[Any], seldom: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly the first, one time in eight the other."""
    return st.integers(0, 7).flatmap(lambda number: seldom if number == 7 else first)


def to_json(given_value: Any) -> bytes:
    """JSON as Python writes it: NaN, and half characters as escapes."""
    return json.dumps(given_value).encode()


@contextmanager
def target_in(folder: Path) -> Iterator[Target]:
    """A production in `folder`, running, behind a server of its own."""
    from irislite.director import Director
    from irislite.web.accounts import Accounts
    from irislite.web.app import create_api
    from runtime.web.sample import write_production
    from runtime.web.serving import serving

    module = f"fuzz_{uuid.uuid4().hex[:12]}"
    production = f"Fuzz.P{module[5:]}"
    file = write_production(folder, production, module, COMPONENTS)
    director = Director(folder / "home", synchronous="NORMAL")
    accounts = Accounts.open(folder / "home", "SuperUser", "fuzz")
    try:
        director.load(file)
        director.start(production)
        with serving(create_api(director, accounts, largest_body=1_000_000)) as url, requests.Session() as session:
            session.auth = ("SuperUser", "fuzz")

            def call(method: str, path: str, **options: Any) -> requests.Response:
                return session.request(method, url + path, timeout=TIMEOUT_S, **options)

            yield Target(call, module, production)
    finally:
        director.close()
