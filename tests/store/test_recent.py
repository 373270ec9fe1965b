"""Ids of the last 7 days, packed."""

from hypothesis import given
from hypothesis import strategies as st

from flowc.runtime.store.recent import KEPT_S, EventHash, Recent, Seen, event_hash

HASHES = st.binary(min_size=8, max_size=8).map(EventHash)


@given(st.lists(st.tuples(HASHES, st.integers(0, 3), st.integers(0, 99), st.integers(0, 200_000)), max_size=20), HASHES)
def test_it_finds_what_was_added_in_the_last_seven_days(
    added: list[tuple[EventHash, int, int, int]], other: EventHash
) -> None:
    recent, now_s, kept = Recent(), 0, dict[EventHash, tuple[int, Seen]]()
    for seen, incarnation, turn, passed_s in added:
        if seen in kept:
            continue
        now_s += passed_s
        recent = recent.adding(seen, incarnation, turn, now_s * 1000)
        kept[seen] = now_s, Seen(incarnation, turn)
    for seen, (at_s, where) in kept.items():
        assert recent.find(seen) == (where if at_s + KEPT_S >= now_s else None)
    if other not in kept:
        assert recent.find(other) is None


def test_an_id_across_two_entries_is_none() -> None:
    recent = Recent().adding(EventHash(b"aaaaaaaa"), 1, 1, 0).adding(EventHash(b"bbbbbbbb"), 1, 2, 0)
    for offset in range(1, len(recent.packed) - 8):
        found = EventHash(recent.packed[offset : offset + 8])
        assert recent.find(found) is None or found == b"bbbbbbbb"


def test_ids_of_two_scopes_differ() -> None:
    assert event_hash("token 1", "m") != event_hash("token 2", "m")
    assert event_hash("token 1", "m") == event_hash("token 1", "m")
