"""Operations with the usual numbers, for tests of policies."""

from flowc.runtime.program import Failure, Key, Operation, Policy, Retry

DAY_MS = 24 * 3600 * 1000


def read(retries: int = 2, timeout_ms: int = 1000, within_ms: int = 10_000, cache_ms: int | None = None) -> Operation:
    policy = Policy(timeout_ms, within_ms, Retry(retries, 100, 1000), cache_ms)
    return Operation("get", "read", (), None, policy, None, (_NOT_FOUND,), ())


def keyed(
    retries: int = 2, timeout_ms: int = 1000, *, keeps_refusals: bool = False, remembered_ms: int = DAY_MS
) -> Operation:
    policy = Policy(timeout_ms, 10_000, Retry(retries, 100, 1000))
    key = Key("auto", None, remembered_ms, keeps_refusals)
    return Operation("cancel", "write", (), None, policy, key, (_TOO_LATE,), ())


def plain(retries: int = 0, timeout_ms: int = 1000) -> Operation:
    policy = Policy(timeout_ms, 10_000, Retry(retries, 100, 1000))
    return Operation("append", "write", (), None, policy, None, (_TOO_LATE,), ())


_NOT_FOUND = Failure("not_found", (), 404, None, None)
_TOO_LATE = Failure("too_late", (), 409, None, None)
