"""Calls under their policies, in virtual time: what is sent, when, and what it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import pytest
from services.programs import program, service
from services.virtual import VirtualLoop

from flowc.runtime.kernel.events import CallFailure, CallResult, Succeeded
from flowc.runtime.policy.verdict import RawAnswer
from flowc.runtime.program import Breaker, OwnPolicy, RateLimit
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import Adapter, AttemptRequest, Call, Claim, Later, LoopClock, Seen
from flowc.runtime.services.scripted import Fails, Gives, NoSuchOutcome, Outcome, ScriptedAdapter
from flowc.runtime.values import Shapes

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return ("asyncio", {"loop_factory": VirtualLoop})


@dataclass
class Rig:
    """The services of one scripted backend, and what was seen of them."""

    services: Services
    backend: ScriptedAdapter
    seen: list[Seen]
    began: float = field(default_factory=anyio.current_time)

    def passed(self) -> float:
        return round(anyio.current_time() - self.began, 3)

    def attempts(self) -> int:
        return len(self.backend.attempts)

    async def read(self, id: str = "1", **more: object) -> CallResult:
        return await self.services.read(Call("orders", "get", {"id": id}, **more))

    async def write(self, operation: str = "cancel", **claim: object) -> CallResult | Later:
        claimed = Claim("k1", **{"deferred": False, "within_s": 10.0, **claim})
        return await self.services.write(Call("orders", operation, {"id": "1"}), claimed)


def rig(script: Mapping[str, list[Outcome]] | None = None, draw: float = 0.5, **policy: object) -> Rig:
    it = service(**policy)
    seen: list[Seen] = []
    backend = ScriptedAdapter(it, Shapes({}), LoopClock())
    for operation, outcomes in (script or {}).items():
        backend.script(operation, outcomes)
    services = Services(program(it), {"orders": backend}, clock=LoopClock(), draw=lambda: draw, watch=seen.append)
    return Rig(services, backend, seen)


def with_adapter(adapter: Adapter, **policy: object) -> Services:
    it = program(service(**policy))
    return Services(it, {"orders": adapter}, clock=LoopClock(), draw=lambda: 0.5)


def kind(result: CallResult | Later) -> str:
    match result:
        case Succeeded():
            return "ok"
        case CallFailure(kind):
            return kind
        case Later():
            return "later"


HANGS = Gives("late", after_s=1_000)


# ------------------------------------------------------------------------------------------------------------ reads


async def test_a_read_is_tried_again_with_waits_and_no_more_often_than_its_policy_says() -> None:
    it = rig({"get": [Fails("unavailable")]}, retries=2)
    assert kind(await it.read()) == "unavailable"
    assert it.attempts() == 3
    assert it.passed() == pytest.approx(0.05 + 0.1)
    assert [each.number for each in it.seen] == [1, 2, 3]


async def test_a_read_ends_with_its_first_success() -> None:
    it = rig({"get": [Fails("unavailable"), Gives("open")]})
    assert await it.read() == Succeeded("open")
    assert it.attempts() == 2


@pytest.mark.parametrize("outcome", ["not_found", "rejected", "malformed"])
async def test_a_read_that_was_answered_is_not_repeated(outcome: str) -> None:
    it = rig({"get": [Fails(outcome)]})
    assert kind(await it.read()) == outcome
    assert it.attempts() == 1


async def test_an_attempt_ends_at_its_timeout() -> None:
    it = rig({"get": [HANGS, Gives("open")]}, timeout_ms=800)
    assert await it.read() == Succeeded("open")
    assert it.passed() == pytest.approx(0.85)
    assert [each.outcome for each in it.seen] == ["timeout", "ok"]


async def test_no_attempt_begins_with_less_than_its_timeout_left() -> None:
    it = rig({"get": [HANGS]}, timeout_ms=1_000, within_ms=2_500, retries=5)
    assert kind(await it.read()) == "timeout"
    assert it.attempts() == 2  # a third would begin after 2.15 s
    it = rig({"get": [Gives("open")]}, timeout_ms=1_000)
    assert kind(await it.read(deadline=it.began + 0.9)) == "overloaded"
    assert it.attempts() == 0


async def test_the_turns_deadline_holds_when_it_is_earlier() -> None:
    it = rig({"get": [HANGS]}, timeout_ms=1_000, within_ms=60_000, retries=5)
    assert kind(await it.read(deadline=it.began + 3.0)) == "timeout"
    assert it.passed() <= 3.0


async def test_a_retry_after_that_does_not_fit_ends_a_read_at_once() -> None:
    it = rig({"get": [Fails("overloaded", retry_after_s=9.5)]}, within_ms=10_000)
    assert kind(await it.read()) == "overloaded"
    assert it.passed() == 0
    it = rig({"get": [Fails("overloaded", retry_after_s=8.5), Gives("open")]}, within_ms=10_000)
    assert await it.read() == Succeeded("open")
    assert it.passed() == 8.5


async def test_retries_have_a_budget_for_the_whole_service() -> None:
    it = rig({"get": [Fails("overloaded")]}, retries=2, breaker=Breaker(100, 1_000, 5_000))
    for _ in range(30):
        await it.read()
    retries = it.attempts() - 30
    assert retries <= 10 + it.passed() + 1 + 0.1 * it.attempts()
    assert retries >= 10


async def test_an_open_breaker_sends_nothing() -> None:
    it = rig({"get": [Fails("unavailable")]}, retries=0)
    for _ in range(8):
        assert kind(await it.read()) == "unavailable"
    assert it.attempts() == 5
    assert it.services.open_breakers() == ("orders",)
    assert [each.sent for each in it.seen] == [True] * 5 + [False] * 3
    await anyio.sleep(5)
    it.backend.script("get", [Gives("open")])
    assert await it.read() == Succeeded("open")
    assert it.services.open_breakers() == ()


async def test_an_operation_with_a_breaker_of_its_own_does_not_open_that_of_its_service() -> None:
    it = rig({"get": [Fails("unavailable")]}, retries=0, own=OwnPolicy(breaker=Breaker(50, 10, 5_000)))
    for _ in range(6):
        await it.read()
    assert it.attempts() == 5
    assert it.services.open_breakers() == ("orders.get",)
    assert kind(await it.write()) == "ok"


async def test_what_an_operation_does_not_say_it_shares_with_its_service() -> None:
    it = rig({"get": [Fails("unavailable")]}, retries=0, own=OwnPolicy(places=1))
    for _ in range(6):
        await it.read()
    assert it.services.open_breakers() == ("orders",)
    assert kind(await it.write()) == "unavailable"


async def test_places_of_an_operation_are_its_own() -> None:
    it = rig({"get": [Gives("late", after_s=0.4)]}, own=OwnPolicy(places=1))
    results: list[CallResult] = []

    async def read() -> None:
        results.append(await it.read())

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(read)
        await anyio.sleep(0.1)
        assert it.attempts() == 1
        assert kind(await it.write()) == "ok"
    assert sorted(map(kind, results)) == ["ok", "ok", "overloaded"]


async def test_a_pause_holds_operations_with_limits_of_their_own() -> None:
    it = rig(own=OwnPolicy(places=1))
    it.services.pause("orders")
    assert kind(await it.read()) == "unavailable"
    it.services.resume("orders")
    assert kind(await it.read()) == "ok"


async def test_a_cancelled_probe_gives_its_place_back() -> None:
    it = rig({"get": [Fails("unavailable")]}, retries=0)
    for _ in range(5):
        await it.read()
    await anyio.sleep(5)
    it.backend.script("get", [HANGS, Gives("open")])
    with anyio.move_on_after(0.1):
        await it.read()
    assert await it.read() == Succeeded("open")


async def test_what_waited_for_a_place_is_not_sent_once_the_breaker_opened() -> None:
    it = rig({"get": [HANGS]}, retries=0, places=8, within_ms=60_000)
    async with anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(it.read)
    assert it.attempts() == 7
    assert [each.outcome for each in it.seen] == ["timeout"] * 7 + ["unavailable"] * 5


async def test_a_read_waits_for_the_rate_limit_when_that_fits() -> None:
    it = rig(limit=RateLimit(2, 1), within_ms=2_000, timeout_ms=1_000)
    results: list[str] = []

    async def one() -> None:
        results.append(kind(await it.read()))

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(one)
    # Two at once, two after half a second and a second, and two that would wait longer than the 1 s to spare.
    assert sorted(results) == ["ok"] * 4 + ["overloaded"] * 2
    assert it.passed() == 1.0


async def test_a_user_has_a_limit_of_their_own() -> None:
    it = rig(limit_per_user=RateLimit(1, 60))
    assert kind(await it.read(user="ann")) == "ok"
    assert kind(await it.read(user="ann")) == "overloaded"
    assert kind(await it.read(user="bob")) == "ok"
    assert kind(await it.read()) == "ok"  # the channel does not prove who it is


async def test_at_most_n_calls_run_and_as_many_wait() -> None:
    it = rig({"get": [Gives("open", after_s=0.5)]}, places=2, within_ms=3_000)
    results: list[str] = []

    async def one() -> None:
        results.append(kind(await it.read()))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one)
    assert results[0] == "overloaded"
    assert results[1:] == ["ok"] * 4
    assert it.passed() == 1.0


async def test_waiting_for_a_place_ends_when_no_time_would_be_left() -> None:
    it = rig({"get": [Gives("open", after_s=0.9)]}, places=1, timeout_ms=1_000, within_ms=1_500)
    results: list[tuple[str, float]] = []

    async def one() -> None:
        results.append((kind(await it.read()), it.passed()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one)
        tasks.start_soon(one)
    assert results == [("overloaded", 0.5), ("ok", 0.9)]


async def test_who_is_cancelled_while_waiting_leaves_the_queue() -> None:
    it = rig({"get": [Gives("open", after_s=0.5)]}, places=1, within_ms=60_000)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(it.read)
        await anyio.sleep(0.1)
        with anyio.move_on_after(0.1):
            await it.read()
        assert kind(await it.read()) == "ok"
    assert it.attempts() == 2


async def test_an_answer_that_was_kept_is_served_when_the_service_fails() -> None:
    it = rig({"get": [Gives("open"), Fails("unavailable")]}, cache_ms=60_000, retries=0)
    assert await it.read("1") == Succeeded("open")
    assert await it.read("1") == Succeeded("open")
    assert it.attempts() == 2
    assert kind(await it.read("2")) == "unavailable"
    await anyio.sleep(60.1)
    assert kind(await it.read("1")) == "unavailable"


async def test_a_kept_answer_never_hides_a_refusal_and_nothing_is_kept_unasked() -> None:
    it = rig({"get": [Gives("open"), Fails("not_found")]}, cache_ms=60_000)
    await it.read()
    assert kind(await it.read()) == "not_found"
    it = rig({"get": [Gives("open"), Fails("unavailable")]}, retries=0)
    await it.read()
    assert kind(await it.read()) == "unavailable"


async def test_reads_are_served_from_the_cache_while_the_breaker_is_open() -> None:
    it = rig({"get": [Gives("open"), Fails("unavailable")]}, cache_ms=600_000, retries=0)
    for _ in range(10):
        assert await it.read() == Succeeded("open")
    assert it.attempts() == 6


# --------------------------------------------------------------------------------------------- adapters that misbehave


class Raising:
    """An adapter with a bug."""

    opened = ScriptedAdapter.opened

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        raise KeyError(request.operation.name)


class Dialling:
    """An adapter that never gets a connection."""

    opened = ScriptedAdapter.opened

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        request.wire.is_sent = False
        await anyio.sleep_forever()
        raise AssertionError


async def test_what_an_adapter_raises_is_in_doubt() -> None:
    services = with_adapter(Raising(), retries=0)
    call = Call("orders", "append", {"id": "1"})
    assert kind(await services.read(Call("orders", "get", {"id": "1"}))) == "unavailable"
    assert kind(await services.write(call, Claim("k", deferred=False, within_s=10))) == "unknown"


async def test_a_connection_that_is_never_made_is_not_in_doubt() -> None:
    services = with_adapter(Dialling(), retries=0)
    call = Call("orders", "append", {"id": "1"})
    assert kind(await services.write(call, Claim("k", deferred=False, within_s=10))) == "unavailable"


# ----------------------------------------------------------------------------------------------------------- writes


async def test_a_keyed_write_is_repeated_with_the_same_key() -> None:
    it = rig({"cancel": [HANGS, Gives("done")]})
    assert await it.write() == Succeeded("done")
    assert [(each.key, each.number) for each in it.backend.attempts] == [("k1", 1), ("k1", 2)]


async def test_a_write_without_key_is_sent_once_and_without_one() -> None:
    it = rig({"append": [HANGS]}, retries=3)
    assert kind(await it.write("append")) == "unknown"
    assert [each.key for each in it.backend.attempts] == [None]


async def test_a_refused_repetition_is_unknown_unless_refusals_are_kept() -> None:
    it = rig({"cancel": [HANGS, Fails("too_late")]})
    assert kind(await it.write()) == "unknown"
    it = rig({"cancel": [HANGS, Fails("too_late")]}, keeps_refusals=True)
    assert kind(await it.write()) == "too_late"
    it = rig({"cancel": [Fails("unavailable"), Fails("too_late")]})
    assert kind(await it.write()) == "too_late"  # the first was never sent


async def test_a_refusal_after_recovery_is_of_a_repetition() -> None:
    it = rig({"cancel": [Fails("too_late")]})
    assert kind(await it.write(attempts=1, in_doubt=True, first_sent_s=3.0)) == "unknown"


async def test_a_wait_over_two_seconds_is_a_row() -> None:
    it = rig({"cancel": [Fails("overloaded", retry_after_s=1.5), Fails("overloaded", retry_after_s=4.0)]})
    assert await it.write() == Later(4.0, "overloaded: as scripted", attempts=2)
    assert it.passed() == 1.5


async def test_doubt_goes_with_the_row() -> None:
    it = rig({"cancel": [HANGS, Fails("overloaded", retry_after_s=4.0)]})
    assert await it.write() == Later(4.0, "overloaded: as scripted", attempts=2, in_doubt=True)


async def test_a_write_not_yet_started_is_not_started_after_its_within() -> None:
    it = rig()
    assert kind(await it.write(waited_s=9.5, within_s=10.0)) == "overloaded"
    assert it.attempts() == 0


async def test_recovery_repeats_a_keyed_write_past_its_within_but_not_past_its_keys_life() -> None:
    it = rig({"cancel": [Gives("done")]}, remembered_ms=3_600_000)
    late = {"waited_s": 3_000.0, "in_doubt": True, "attempts": 9}
    assert await it.write(**late, first_sent_s=3_000.0) == Succeeded("done")
    assert kind(await it.write(**late, first_sent_s=3_599.5)) == "unknown"
    assert it.attempts() == 1


async def test_recovery_never_repeats_a_write_without_key() -> None:
    it = rig()
    assert kind(await it.write("append", in_doubt=True, attempts=1, first_sent_s=1.0)) == "unknown"
    assert it.attempts() == 0


async def test_a_write_in_doubt_waits_for_the_breaker() -> None:
    it = rig({"get": [Fails("unavailable")]}, retries=0)
    for _ in range(5):
        await it.read()
    assert kind(await it.write()) == "unavailable"
    later = await it.write(in_doubt=True, attempts=1, first_sent_s=0.0)
    assert later == Later(pytest.approx(5.05), "unavailable: the breaker is open", in_doubt=True)
    assert it.attempts() == 5


async def test_a_keyed_write_waits_for_a_limit_as_a_row() -> None:
    it = rig(limit=RateLimit(1, 5))
    assert kind(await it.write()) == "ok"
    assert await it.write() == Later(pytest.approx(5.05), "overloaded: the rate limit of the service")
    assert kind(await it.write("append")) == "overloaded"


async def test_retries_of_writes_use_the_budget() -> None:
    it = rig({"cancel": [Fails("overloaded")]}, retries=2)
    for _ in range(20):
        await it.write()
    assert it.attempts() <= 20 + 10 + it.passed() + 1 + 0.1 * it.attempts()


# ------------------------------------------------------------------------------------------------------------- jobs


async def job(it: Rig, **claim: object) -> CallResult | Later:
    return await it.write(**{"deferred": True, "within_s": 86_400.0, **claim})


async def test_a_job_makes_one_attempt_a_claim() -> None:
    it = rig({"cancel": [Fails("unavailable"), Gives("T-1")]}, retries=5)
    assert await job(it) == Later(0.05, "unavailable: as scripted", attempts=1)
    assert await job(it, attempts=1, first_sent_s=0.05, waited_s=0.05) == Succeeded("T-1")
    assert it.passed() == 0


async def test_a_jobs_waits_grow_with_its_attempts() -> None:
    it = rig({"cancel": [Fails("unavailable")]}, breaker=Breaker(100, 1_000, 1_000))
    waits = [later.wait_s for n in (0, 3, 30) if isinstance(later := await job(it, attempts=n), Later)]
    assert waits == [0.05, 0.4, 150.0]


async def test_a_local_refusal_is_no_attempt_of_a_job() -> None:
    it = rig({"get": [Fails("unavailable")]}, retries=0)
    for _ in range(5):
        await it.read()
    assert await job(it) == Later(5.5, "unavailable: the breaker is open", attempts=0)


async def test_a_paused_service_takes_no_calls_and_jobs_keep_their_place() -> None:
    it = rig()
    it.services.pause("orders")
    assert kind(await it.read()) == "unavailable"
    assert kind(await it.write()) == "unavailable"
    later = await job(it, in_doubt=True)
    assert isinstance(later, Later)
    assert (later.paused, later.attempts, later.in_doubt) == (True, 0, True)
    it.services.resume("orders")
    assert kind(await it.read()) == "ok"
    assert kind(await job(it)) == "ok"


# ---------------------------------------------------------------------------------------------------------- scripts


async def test_an_outcome_that_the_operation_cannot_have_is_an_error() -> None:
    it = rig()
    with pytest.raises(NoSuchOutcome, match=r"orders\.get has no outcome `too_late`"):
        it.backend.script("get", [Fails("too_late")])
    with pytest.raises(NoSuchOutcome):
        it.backend.script("cancel", [Fails("timeout")])


async def test_every_outcome_of_an_operation_can_be_scripted() -> None:
    for operation in service().operations.values():
        for outcome in (*operation.outcomes, *(each.name for each in operation.failures)):
            it = rig({operation.name: [Fails(outcome)]}, retries=0)
            result = await (it.read() if operation.kind == "read" else it.write(operation.name))
            assert kind(result) == outcome
