"""A process that is killed in the middle of its commits has lost nothing that it was told is there."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowc.runtime.store.rows import Address, Wanted
from flowc.runtime.store.sqlite import sqlite_store

WORK = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from store.making import message, row_of, unit
from flowc.runtime.store.rows import Address, Committed
from flowc.runtime.store.sqlite import sqlite_store

async def one(store, address):
    row = await row_of(store, address)
    while True:
        (answer,) = await store.commit([unit(row, message(f"m{row.turn}", address), position=os.urandom(3000))])
        assert isinstance(answer, Committed), answer
        row = answer.row
        os.write(1, f"{address} {row.turn}\\n".encode())

async def main():
    async with sqlite_store(Path(sys.argv[1])) as store:
        await asyncio.gather(*(one(store, Address(f"c{n}")) for n in range(20)))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 150, 2500])
async def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "flowc.db"
    acknowledged: dict[str, int] = {}
    for _ in range(2):  # the second process goes on where the first was killed
        with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
            [sys.executable, "-c", WORK, path, Path(__file__).parent.parent], stdout=subprocess.PIPE, text=True
        ) as worker:
            assert worker.stdout is not None
            for _, line in zip(range(lines), worker.stdout, strict=False):
                address, turn = line.split()
                acknowledged[address] = int(turn)
            worker.kill()
            for line in worker.stdout:  # told before it was killed
                if line.endswith("\n"):
                    address, turn = line.split()
                    acknowledged[address] = int(turn)
        assert worker.returncode == -signal.SIGKILL
    assert acknowledged
    async with sqlite_store(path) as store:
        assert store._writer.reader().execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for address, turn in acknowledged.items():
            (loaded,) = await store.load([Wanted(Address(address))])
            assert turn <= loaded.row.turn <= turn + 2  # at most what each process was not told any more
            turns = [entry.turn for entry in await store.journal(Address(address), limit=100_000)]
            assert turns == list(range(1, loaded.row.turn + 1))
