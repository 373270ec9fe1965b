import anyio

from flowc.runtime.store.bell import MemoryBell
from flowc.runtime.store.port import Ring


async def test_who_hears_gets_all_rings_since_the_last_time() -> None:
    bell = MemoryBell()
    await bell.ring([Ring("inbox")])
    await bell.ring([Ring("commands"), Ring("pauses")])
    assert [ring.what for ring in await bell.hear()] == ["inbox", "commands", "pauses"]
    with anyio.move_on_after(0) as scope:
        await bell.hear()
    assert scope.cancelled_caught
