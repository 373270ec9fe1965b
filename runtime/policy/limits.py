"""How much tenants and their users may send: token buckets as GCRA (limiter.py), of a tenant and of each of its users.

A tenant is the token that a channel uses, or all who come where a server asks for none. A message takes a token of both
buckets or of neither, so that one user who sends too much takes nothing from the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowc.runtime.policy.limiter import Limiter, UserLimiter
from flowc.runtime.program import RateLimit

_ROUNDING_S = 1e-9


@dataclass(frozen=True, slots=True)
class Rates:
    """What is configured; None has no limit."""

    all: RateLimit | None = None
    per_user: RateLimit | None = None

    def or_else(self, other: "Rates") -> "Rates":
        return Rates(self.all or other.all, self.per_user or other.per_user)


@dataclass(slots=True)
class _Buckets:
    all: Limiter | None
    users: UserLimiter | None


@dataclass(slots=True)
class Limits:
    """`default` holds for what a tenant of `own` leaves out, and for every other one."""

    default: Rates
    own: Mapping[str, Rates] = field(default_factory=dict)
    _tenants: dict[str, _Buckets] = field(default_factory=dict)

    def wait_s(self, tenant: str, user: str, now: float) -> float:
        """How long until a message may come; one that may come now is counted."""
        buckets = self._tenants.get(tenant)
        if buckets is None:
            buckets = self._tenants[tenant] = self._made(tenant)
        limiters = [] if buckets.all is None else [buckets.all]
        if buckets.users is not None:
            limiters.append(buckets.users.of(user, now))
        wait_s = max([limiter.wait_s(now) for limiter in limiters], default=0.0)
        if wait_s > _ROUNDING_S:
            return wait_s
        for limiter in limiters:
            limiter.book(now)
        return 0.0

    def _made(self, tenant: str) -> _Buckets:
        rates = self.own.get(tenant, Rates()).or_else(self.default)
        return _Buckets(
            None if rates.all is None else Limiter(rates.all.count, rates.all.per_s),
            None if rates.per_user is None else UserLimiter(rates.per_user.count, rates.per_user.per_s),
        )


def limits_of(default: Rates, own: Mapping[str, Rates]) -> Limits | None:
    """None where nothing is limited."""
    configured = any(rates != Rates() for rates in (default, *own.values()))
    return Limits(default, own) if configured else None
