"""Services as an environment configures them: everything that is missing is said at once."""

import dataclasses

import msgspec
import pytest
from services.backend import answers, running
from services.programs import program, service

from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.program import HttpRequest, Program
from flowc.runtime.services.open import adapters, open_services
from flowc.runtime.services.port import Call, Misconfigured
from flowc.runtime.services.settings import ServiceSettings

pytestmark = pytest.mark.anyio

NO_ADDRESS = (
    "the address of service `{0}` is not an http or https address without query and fragment: "
    "correct `url` under [environments.production.services.{0}] in flowc.toml"
)
NO_MODULE = (
    "service `stock` cannot use nowhere:Stock: importing `nowhere` raised ModuleNotFoundError: "
    "No module named 'nowhere'; correct `python` under [environments.production.services.stock] in flowc.toml"
)


def bot(*named: tuple[str, str]) -> Program:
    """A program with these services, by name and adapter."""
    base = service(adapter="http")
    http = HttpRequest("GET", "/orders/{id}")
    operations = {name: msgspec.structs.replace(each, http=http) for name, each in base.operations.items()}
    return program(
        *(msgspec.structs.replace(base, name=name, adapter=adapter, operations=operations) for name, adapter in named)
    )


async def test_a_call_goes_through_to_a_real_server() -> None:
    async with running(answers(body="open")) as backend:
        settings = {"orders": ServiceSettings(url=backend.url)}
        async with open_services(bot(("orders", "http")), settings, draw=lambda: 0.5) as services:
            assert await services.read(Call("orders", "get", {"id": "1"})) == Succeeded("open")


async def test_all_that_is_missing_is_said_at_once() -> None:
    it = bot(("orders", "http"), ("crm", "http"), ("mail", "queue"), ("tickets", "http"), ("stock", "http"))
    settings = {
        "crm": ServiceSettings(url="crm.internal"),
        "tickets": ServiceSettings(url="https://tickets.internal/?x=1"),
        "stock": ServiceSettings(python="nowhere:Stock"),
        "order": ServiceSettings(url="http://127.0.0.1:1"),
    }
    with pytest.raises(Misconfigured) as raised:
        async with open_services(it, settings, draw=lambda: 0.5, environment="production"):
            pass
    assert raised.value.problems == (
        "there is no service `order`: remove [environments.production.services.order] from flowc.toml",
        "service `orders` has no address: add `url = …` under [environments.production.services.orders] in flowc.toml",
        NO_ADDRESS.format("crm"),
        "service `mail` is via `queue`, for which no adapter is installed: use http or python",
        NO_ADDRESS.format("tickets"),
        NO_MODULE,
    )


@pytest.mark.parametrize(
    "url", ["", "orders", "ftp://orders", "http://", "https://:80", "http://a:99999", "http://[::1", "//orders"]
)
def test_what_is_no_address(url: str) -> None:
    assert isinstance(adapters(bot(("orders", "http")), {"orders": ServiceSettings(url=url)}, "dev"), tuple)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ServiceSettings().url = "http://elsewhere"  # type: ignore[misc]
