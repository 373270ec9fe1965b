"""The ids of the events that a conversation took in the last 7 days: 8-byte hashes, each with the turn that its
event caused.

Kept in one field of the address's row, so that a look-up needs nothing but the row, and so that an id is known past
the end of an incarnation. An id of 8 bytes is mistaken for another one with a chance of n·2⁻⁶⁴ for the n ids of one
conversation.
"""

from hashlib import blake2b
from struct import Struct as Packing
from typing import Final, NewType

from msgspec import Struct

EventHash = NewType("EventHash", bytes)

KEPT_S: Final = 7 * 24 * 3600
_ENTRY: Final = Packing("<8sIII")  # hash, second, incarnation, turn


def event_hash(scope: str, name: str) -> EventHash:
    """8 bytes for an event's id. `scope` is the channel and token, so that two senders may use the same id."""
    return EventHash(
        blake2b(name.encode(), digest_size=8, key=blake2b(scope.encode(), digest_size=32).digest()).digest()
    )


class Seen(Struct, frozen=True):
    incarnation: int
    turn: int


class Recent(Struct, frozen=True):
    packed: bytes = b""

    def find(self, wanted: EventHash) -> Seen | None:
        """The turn that the id caused, if it was seen."""
        size = _ENTRY.size
        at = self.packed.find(wanted)
        while at > 0 and at % size:  # by chance across two entries
            at = self.packed.find(wanted, at + 1)
        if at < 0:
            return None
        _, _, incarnation, turn = _ENTRY.unpack_from(self.packed, at)
        return Seen(incarnation, turn)

    def part(self, wanted: EventHash, digests: bytes) -> bytes:
        """Of the digests that a turn was caused with, one behind the other, that of an id that was seen."""
        seen = self.find(wanted)
        of_turn = [
            found
            for found, _, incarnation, turn in _ENTRY.iter_unpack(self.packed)
            if seen is not None and (incarnation, turn) == (seen.incarnation, seen.turn)
        ]
        if len(of_turn) < 2:
            return digests
        size, at = len(digests) // len(of_turn), of_turn.index(wanted)
        return digests[at * size : (at + 1) * size]

    def adding(self, seen: EventHash, incarnation: int, turn: int, now_ms: int) -> "Recent":
        """With one more id, without those that are older than 7 days."""
        size, packed, now_s = _ENTRY.size, self.packed, now_ms // 1000
        start = 0
        while start < len(packed) and _ENTRY.unpack_from(packed, start)[1] + KEPT_S < now_s:
            start += size
        return Recent(packed[start:] + _ENTRY.pack(seen, now_s, incarnation, turn))
