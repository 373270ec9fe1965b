"""The `python` adapter, and what is said about a class that cannot be one."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from services.programs import DEFAULT_BREAKER

from flowc.runtime.policy.verdict import Answered, Broken, Declared, Misshaped, RawAnswer, Rejected, TimedOut
from flowc.runtime.program import Failure, Key, Operation, Policy, Retry, Service, ServicePolicy
from flowc.runtime.services.port import AttemptRequest
from flowc.runtime.services.python import PythonAdapter, load_python
from flowc.runtime.services.settings import ServiceSettings
from flowc.runtime.types import Basic, Field, Record, Text
from flowc.runtime.values import Money, Shapes, Value

pytestmark = pytest.mark.anyio

CUSTOMER = (Field("id", Text()), Field("born_on", Basic("date")), Field("credit", Basic("money")))
SHAPES = Shapes({"Customer": CUSTOMER}, "UTC", "EUR")
POLICY = Policy(1_000, 10_000, Retry(0, 1, 1))
ID = (Field("id", Text()),)
GET = Operation("get", "read", ID, Record("Customer"), POLICY, None, (Failure("not_found", (), None, None, None),), ())
SAVE = Operation(
    "save",
    "write",
    (Field("customer", Record("Customer")),),
    Text(),
    POLICY,
    Key("auto", None, 1, keeps_refusals=False),
    (),
    (),
)
LOCKED = Failure("locked", (Field("until", Basic("date")),), None, None, None)
LOCK = Operation("lock", "write", ID, None, POLICY, Key("field", "request_id", 1, keeps_refusals=False), (LOCKED,), ())
CRM = Service("crm", "python", ServicePolicy(DEFAULT_BREAKER, 4), {each.name: each for each in (GET, SAVE, LOCK)})
MODULE = "services.python_backends"


def load(path: str | None) -> PythonAdapter | tuple[str, ...]:
    return load_python(CRM, ServiceSettings(python=path), SHAPES, "dev")


async def attempt(operation: Operation, arguments: Mapping[str, Value], key: str | None = None) -> RawAnswer:
    adapter = load(f"{MODULE}:Crm")
    assert isinstance(adapter, PythonAdapter)
    return await adapter.attempt(AttemptRequest(operation, arguments, 1.0, key=key))


@pytest.mark.parametrize(
    ("id", "meaning"),
    [
        ("nobody", Declared("not_found", {}, "no such customer")),
        ("undeclared", Broken("the method raised Failed('sleepy'), which the operation does not declare")),
        ("bug", Broken("the method raised KeyError")),
        ("gave_up", TimedOut("the method raised TimeoutError")),
        ("callable", Misshaped("the method returned a builtin_function_or_method")),
        ("other", Misshaped("what the method returned does not fit the type at `born_on`")),
        ("record", Answered({"id": "record", "born_on": date(1990, 5, 1), "credit": Money(Decimal(3), "EUR")})),
        ("object", Answered({"id": "object", "born_on": date(1990, 5, 1), "credit": Money(Decimal("12.50"), "EUR")})),
    ],
)
async def test_what_a_method_does_means(id: str, meaning: RawAnswer) -> None:
    assert await attempt(GET, {"id": id}) == meaning


async def test_a_record_comes_as_the_class_that_the_parameter_names() -> None:
    customer = {"id": "c1", "born_on": date(1990, 5, 1), "credit": Money(Decimal("12.50"), "EUR")}
    assert await attempt(SAVE, {"customer": customer}, key="k1") == Answered("c1 1990 12.50 k1")
    assert isinstance(await attempt(SAVE, {"customer": {"id": "c1"}}, key="k1"), Rejected)


async def test_a_failure_tells_its_fields() -> None:
    assert await attempt(LOCK, {"id": "1"}, key="k1") == Declared("locked", {"until": date(2026, 12, 24)})
    assert isinstance(await attempt(LOCK, {"id": "2"}, key="k1"), Rejected)


async def test_an_object_is_opened_and_closed_with_the_server() -> None:
    adapter = load(f"{MODULE}:Crm")
    assert isinstance(adapter, PythonAdapter)
    events = adapter._target.events  # type: ignore[attr-defined]
    async with adapter.opened():
        assert events == ["opened"]
    assert events == ["opened", "closed"]


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        (
            None,
            ["has no class: add `python` under [environments.dev.services.crm] in flowc.toml, such as"],
        ),
        ("crm", ['service `crm` cannot use crm: it is written "module.path:Class"; correct `python`']),
        (
            "no.such:Crm",
            ["cannot use no.such:Crm: importing `no.such` raised ModuleNotFoundError: No module named 'no'"],
        ),
        (f"{MODULE}:Crn", [f"module `{MODULE}` has no class `Crn`"]),
        (f"{MODULE}:NOT_A_CLASS", [f"module `{MODULE}` has no class `NOT_A_CLASS`"]),
        (f"{MODULE}:Strict", ["Strict() raised TypeError"]),
        (
            f"{MODULE}:Sync",
            [
                "has `get`, which is not `async def`",
                "has `save` without the parameter `customer`",
                "has `save` with the parameter `client`, which the operation does not have",
                "has `lock`, which is not `async def`",
            ],
        ),
        (
            f"{MODULE}:Incomplete",
            [
                "has `get` with the parameter `page`, which the operation does not have",
                "has no method `save`",
                "has no method `lock`",
            ],
        ),
    ],
)
def test_a_class_that_cannot_be_used_is_said_in_sentences(path: str | None, problems: list[str]) -> None:
    said = load(path)
    assert isinstance(said, tuple)
    assert len(said) == len(problems)
    for sentence, problem in zip(said, problems, strict=True):
        assert sentence.startswith("service `crm`")
        assert problem in sentence
        assert "\n" not in sentence
