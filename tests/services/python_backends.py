"""Classes as a project writes them for `via python`, good and bad."""

import asyncio
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from flowc.runtime.services.python import Failed
from flowc.runtime.values import Money


@dataclass
class Customer:
    id: str
    born_on: date
    credit: Money


class Crm:
    """Every operation of the tests' service, and what it was opened for."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def __aenter__(self) -> "Crm":
        self.events.append("opened")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.events.append("closed")

    async def get(self, id: str) -> object:
        match id:
            case "record":
                return {"id": "record", "bornOn": "1990-05-01", "credit": 3}
            case "object":
                return Customer("object", date(1990, 5, 1), Money(Decimal("12.50"), "EUR"))
            case "nobody":
                raise Failed("not_found", "no such customer")
            case "undeclared":
                raise Failed("sleepy")
            case "bug":
                raise KeyError(id)
            case "slow":
                await asyncio.sleep(3_600)
            case "gave_up":
                raise TimeoutError
            case "callable":
                return print
        return {"id": id}

    async def save(self, customer: Customer, idempotency_key: str) -> str:
        assert isinstance(customer, Customer)
        return f"{customer.id} {customer.born_on.year} {customer.credit.amount} {idempotency_key}"

    async def lock(self, id: str, request_id: str) -> None:
        raise Failed("locked", until=date(2026, 12, 24) if id == "1" else "soon")


class Sync:
    def get(self, id: str) -> str:
        return id

    async def save(self, client: object) -> str:
        return str(client)

    lock = get


class Incomplete:
    async def get(self, id: str, page: int) -> str:
        return id * page


class Strict:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn


NOT_A_CLASS = 7
