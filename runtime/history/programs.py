"""The programs that a store's conversations run, loaded when they are asked for."""

from flowc.runtime.bundle import from_bytes
from flowc.runtime.kernel import LoadedProgram, load
from flowc.runtime.releases import BundleMissing
from flowc.runtime.store.overview import Deployment
from flowc.runtime.store.reading import Reader

__all__ = ["Programs"]


class Programs:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._loaded: dict[int, LoadedProgram] = {}
        self.deployments: dict[int, Deployment] = {each.number: each for each in reader.deployments()}

    def __call__(self, number: int) -> LoadedProgram:
        """The program of a deployment. Raises BundleMissing."""
        found = self._loaded.get(number)
        if found is None:
            known = self.deployments.get(number)
            bundle = None if known is None else self._reader.bundle(known.what.digest)
            if bundle is None:
                raise BundleMissing(number)
            found = self._loaded[number] = load(from_bytes(bundle))
        return found

    def version(self, number: int) -> str:
        known = self.deployments.get(number)
        return "" if known is None else known.what.version

    @property
    def newest(self) -> LoadedProgram | None:
        return self(max(self.deployments)) if self.deployments else None
