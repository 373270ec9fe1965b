"""Looks, again and again, for what is due or was left by a server that stopped: timers, commands, inboxes.

The paths of a turn are quicker, and need no sweep; but whatever they lose, a sweep finds.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from flowc.runtime.engine.commands import Commands
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.session import Session
from flowc.runtime.engine.stored import TimerBody, timer_hash
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.store.port import ALL_SHARDS
from flowc.runtime.store.rows import Address, DueTimer

EVERY_S: Final = 0.5
LEAST_WAIT_S: Final = 0.001
MOST_AT_ONCE: Final = 256
OVERDUE_MS: Final = 5_000  # a timer that was due so long ago was claimed by somebody who did not live to take it


class Sweeper:
    def __init__(self, around: Surroundings, commands: Commands, session: Callable[[Address], Session]) -> None:
        self._around = around
        self._commands = commands
        self._session = session
        self._poked = asyncio.Event()
        self._is_waiting = False
        self._sweeps_all = True

    def poke(self) -> None:
        """Something may be due."""
        self._sweeps_all = True
        self._poked.set()

    def poke_commands(self) -> None:
        """A command may be due, or there is a place for one."""
        self._poked.set()

    @property
    def is_waiting(self) -> bool:
        return self._is_waiting and not self._poked.is_set()

    async def run(self, every_s: float) -> None:
        time, next_at = self._around.time, float("-inf")
        while True:
            self._poked.clear()
            sweeps_all, self._sweeps_all = self._sweeps_all or time.now() >= next_at, False
            try:
                if self._around.is_stopping:
                    pass  # what is due is for the next server
                elif sweeps_all:
                    next_at = time.now() + every_s
                    await self.sweep()
                else:
                    await self._commands.claim()
            except StoreUnavailable as error:
                self._around.log("warning", "sweep failed", {"reason": error.reason})
            except Exception as error:  # noqa: BLE001 - the next sweep may do better; without any, timers never fire
                self._around.log("error", "sweep failed", {"error": type(error).__name__})
            self._is_waiting = True
            with time.timeout(max(LEAST_WAIT_S, min(next_at - time.now(), self._commands.wait_s()))):
                await self._poked.wait()
            self._is_waiting = False

    async def sweep(self) -> None:
        """Takes what is due now, as much as there is room for. Raises StoreUnavailable."""
        store, holder = self._around.store, self._around.holder
        due = await store.claim("timers", ALL_SHARDS, MOST_AT_ONCE, holder)
        for timer in due.timers:
            self._fire(timer)
        orphans = await store.claim("inbox", ALL_SHARDS, MOST_AT_ONCE, holder)
        if orphans.inbox:
            self._around.metrics.repairs.add("inbox", by=len(orphans.inbox))
        for orphan in orphans.inbox:
            self._session(orphan.address).look()
        self._commands.apply(await store.pauses())
        await self._commands.claim()

    def _fire(self, due: DueTimer) -> None:
        session, timer = self._session(due.address), due.timer
        if timer.after_ms == 0:
            self._around.metrics.repairs.add("turn")
            return session.wake()  # no silence: the turn that must follow the last one
        if self._around.store.clock.now_ms() - timer.due_ms > OVERDUE_MS:
            self._around.metrics.repairs.add("timer")
        session.fire(
            Pending(
                timer_hash(due.incarnation, timer.generation, timer.after_ms),
                TimerBody(timer.generation, timer.after_ms),
                incarnation=due.incarnation,
                alarm=(timer.generation, timer.after_ms),
            )
        )
        return None
