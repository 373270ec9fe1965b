"""Programs of one service, for tests of calls."""

from flowc.runtime.program import (
    Breaker,
    Failure,
    Key,
    Operation,
    OwnPolicy,
    Policy,
    Program,
    RateLimit,
    Retry,
    Service,
    ServicePolicy,
)
from flowc.runtime.types import Field, Text

DAY_MS = 24 * 3600 * 1000
READ_OUTCOMES = ("timeout", "unavailable", "overloaded", "rejected", "malformed")
DEFAULT_BREAKER = Breaker(50, 10, 5_000)
WRITE_OUTCOMES = ("unavailable", "overloaded", "rejected", "unknown")


def service(
    *,
    retries: int = 2,
    timeout_ms: int = 1_000,
    within_ms: int = 10_000,
    cache_ms: int | None = None,
    breaker: Breaker = DEFAULT_BREAKER,
    places: int = 64,
    limit: RateLimit | None = None,
    limit_per_user: RateLimit | None = None,
    keeps_refusals: bool = False,
    remembered_ms: int = DAY_MS,
    adapter: str = "scripted",
    own: OwnPolicy | None = None,
) -> Service:
    policy = Policy(timeout_ms, within_ms, Retry(retries, 100, 1_000))
    cached = Policy(timeout_ms, within_ms, Retry(retries, 100, 1_000), cache_ms)
    id_ = (Field("id", Text()),)
    key = Key("auto", None, remembered_ms, keeps_refusals)
    too_late = Failure("too_late", (), 409, None, None)
    not_found = Failure("not_found", (), 404, None, None)
    operations = [
        Operation("get", "read", id_, Text(), cached, None, (not_found,), READ_OUTCOMES, own=own),
        Operation("cancel", "write", id_, Text(), policy, key, (too_late,), WRITE_OUTCOMES),
        Operation("append", "write", id_, Text(), policy, None, (too_late,), WRITE_OUTCOMES),
    ]
    policies = ServicePolicy(breaker, places, limit, limit_per_user)
    return Service("orders", adapter, policies, {each.name: each for each in operations})


def program(*services: Service, zone: str = "UTC", currency: str | None = "EUR") -> Program:
    return Program("bot", "main", "1.0.0", {}, {each.name: each for each in services}, {}, (), ("en",), zone, currency)
