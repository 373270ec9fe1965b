"""A store checked: the file, its rows, every state, and a sample of conversations taken again from their journals."""

from collections.abc import Iterator
from dataclasses import dataclass

from flowc.runtime.engine.replay import Differs, replay
from flowc.runtime.engine.seal import Seal, SealBroken
from flowc.runtime.engine.stored import state_hash
from flowc.runtime.history.programs import Programs
from flowc.runtime.kernel.position import Position
from flowc.runtime.releases import BundleMissing
from flowc.runtime.store.checking import Kept
from flowc.runtime.store.reading import Reader
from flowc.runtime.values import decode

__all__ = ["Checking"]

NO_SEAL = Seal(bytes(32), bytes)  # opens nothing: what was sealed is for the process that did


@dataclass(slots=True)
class Checking:
    """Findings as they come; the numbers are those so far. At most `sample` conversations are taken again."""

    reader: Reader
    sample: int
    quick: bool = False
    conversations: int = 0
    replayed: int = 0

    def findings(self) -> Iterator[str]:
        """Sentences. Where the file itself is broken, nothing else is looked at."""
        broken = tuple(self.reader.broken(quick=self.quick))
        if broken:
            yield from broken
            return
        yield from self.reader.contradictions()
        programs = Programs(self.reader)
        for kept in self.reader.kept():
            self.conversations += 1
            yield from self._state(kept)
            if self.replayed < self.sample:
                yield from self._again(kept, programs)

    def _state(self, kept: Kept) -> Iterator[str]:
        if kept.state_hash and state_hash(kept.position) != kept.state_hash:
            yield f"the state of conversation {kept.address} is not the one that its newest turn left"
        try:
            if kept.position:
                decode(kept.position, Position)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is not a state
            yield f"the state of conversation {kept.address} cannot be read ({type(error).__name__})"

    def _again(self, kept: Kept, programs: Programs) -> Iterator[str]:
        """Only from its first turn on, and where it ran one version all the time."""
        rows = self.reader.journal(kept.address, kept.incarnation)
        if not rows or rows[0].turn != 1 or len({row.deployment for row in rows}) > 1:
            return
        try:
            replay(programs(kept.deployment), rows, NO_SEAL)
        except SealBroken:
            return  # it had a secret
        except (Differs, BundleMissing) as error:
            yield f"conversation {kept.address} cannot be taken again: {error}"
        except Exception as error:  # noqa: BLE001 - a turn that cannot be read is a finding
            yield f"conversation {kept.address} cannot be taken again: {type(error).__name__}"
        self.replayed += 1
