"""Which bundle conversations run: deployments over a store. A server makes its bundle the current one when it starts,
and fetches those that older conversations still run.
"""

from flowc.runtime.bundle import digest, from_bytes
from flowc.runtime.errors import FlowcError
from flowc.runtime.program import Program
from flowc.runtime.store.overview import Deployment, NewDeployment
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import Digest


class BundleMissing(FlowcError):  # noqa: N818 - named by the fact
    """A deployment names a bundle that the store does not have."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the bundle of deployment {number} is not in the store: restore it, then run `flowc doctor`")
        self.number = number


async def make_current(store: Store, program: Program, bundle: bytes, by: str) -> Deployment:
    """The deployment of this bundle: the stable one if it is that already, else a new one."""
    name = Digest(digest(bundle))
    await store.prepare(name, bundle)
    while True:
        latest = await store.deployments(limit=100)
        stable = next((each for each in latest if each.state == "stable"), None)
        if stable is not None and stable.what.digest == name:
            return stable
        new = NewDeployment(program.bot, program.version, name, "deploy", by)
        made = await store.activate(new, latest[0].number if latest else 0)
        if made is not None:
            return made


async def program_of(store: Store, number: int) -> Program:
    """The program of a deployment. Raises BundleMissing."""
    known = next((each for each in await store.deployments(limit=1_000_000) if each.number == number), None)
    bundle = None if known is None else await store.bundle(known.what.digest)
    if bundle is None:
        raise BundleMissing(number)
    return from_bytes(bundle)
