"""The real server under load, killed with SIGKILL every few seconds, or stopped for a while and continued.

    python tests/end_to_end/soak.py --minutes 30 --every 3

A few hundred conversations go on at once. Their client does what docs/http.md asks of one: it sends again, with the
same id, what was not answered. The bot counts what it is told and says the count, the backend keeps a ledger of its
own, so at the end each reply and each effect can be accounted for:

- *lost*: an answer that the stored conversation does not have, a count that jumps back, an effect that was told and
  is not in the ledger, or a job that never was told of;
- *doubled*: a count that jumps on, a reply that is there twice, an effect that is in the ledger twice;
- *disorder*: replies in another order than their client got them, or than the server counted them;
- *set aside* is no fault of the server: a message whose turn was killed three times in a row is told to its user as
  failed, and stands in `flowc dead`;
- *stuck*: a conversation that has not ended a while after the last kill, or left something behind.

Prints the figures as one line, and is 1 where anything was lost, doubled, in disorder or stuck.
"""

import argparse
import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

HERE = Path(__file__).parent / "soaking"
CONVERSATIONS = 300
THINK_S = 1.0  # between an answer and the next message, on average
PATIENCE_S = 4.0  # for an answer, before the message is sent again
AGAIN_S = 0.3
SETTLE_S = 150.0  # after the last kill: every conversation has ended by then
STOPPED_S = 1.5
STOPPED_SHARE = 0.2  # of the disturbances
ENDED_SHARE = 0.05  # of the others: by SIGTERM
ENDS_S = 20.0  # a server has that to end, on a machine that is busy; by itself it takes 14
STARTED_S = 90.0  # on a machine that is busy
WORDS = ("note", "note", "note", "look", "pay", "pay", "risk", "later")
BURSTS = (1, 1, 1, 1, 2, 4)  # messages at once
LEAVING = 0.15  # of the conversations are left by their user, and end by silence

FAULT = "something went wrong on our side"
TOLD = re.compile(r"(Noted|Looked|Not looked|Paying|Done|Failed|Unknown|Queued) (\d+)")


@dataclass(frozen=True)
class Answer:
    """What a message was answered with: ids and texts of replies."""

    word: str
    replies: tuple[tuple[str, str], ...]

    @property
    def is_failure(self) -> bool:
        """The message was set aside."""
        return any(FAULT in text for _, text in self.replies)


@dataclass
class Talk:
    """A conversation as its client has seen it."""

    name: str
    answers: list[Answer] = field(default_factory=list)


@dataclass
class Soak:
    """All that is under way. `findings` are sentences, by what they show."""

    folder: Path
    rng: Random
    port: int
    server: subprocess.Popen[bytes] | None = None
    kills: int = 0
    stops: int = 0
    ends: int = 0
    sent: int = 0
    repeated: int = 0
    talks: list[Talk] = field(default_factory=list)
    findings: list[tuple[str, str]] = field(default_factory=list)
    is_over: bool = False
    set_aside: int = 0

    @property
    def store(self) -> Path:
        return self.folder / ".flowc" / "dev.db"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def complaints(self) -> Path:
        return self.folder / "server.log"

    def finds(self, kind: str, what: str) -> None:
        self.findings.append((kind, what))

    def serve(self) -> None:
        command = [sys.executable, "-m", "flowc.cli", "serve", "--project", str(self.folder), "--port", str(self.port)]
        with self.complaints.open("ab") as log:
            self.server = subprocess.Popen([*command, "--quiet"], stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        assert self.server is not None
        self.server.send_signal(number)


# -------------------------------------------------------------------------------------------------------- disturbances


async def answers(soak: Soak) -> None:
    """Waits until the server takes requests."""
    deadline = time.monotonic() + STARTED_S
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", soak.port)
        except OSError:
            assert soak.server is not None
            if soak.server.poll() is not None or time.monotonic() > deadline:
                why = "does not start" if soak.server.poll() is None else f"ended with {soak.server.poll()}"
                raise SystemExit(f"the server {why}:\n{soak.complaints.read_text()[-2000:]}") from None
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def disturb(soak: Soak, until: float, every_s: float) -> None:
    """Kills, or stops and continues, `every_s` seconds after the server has come up."""
    while time.monotonic() + every_s < until:
        await asyncio.sleep(soak.rng.uniform(0.5, 1.5) * every_s)
        if soak.rng.random() < STOPPED_SHARE:
            soak.signal(signal.SIGSTOP)
            await asyncio.sleep(STOPPED_S)
            soak.signal(signal.SIGCONT)
            soak.stops += 1
            continue
        assert soak.server is not None
        if soak.rng.random() < ENDED_SHARE:
            await end(soak)
        else:
            soak.signal(signal.SIGKILL)
            soak.server.wait()
            soak.kills += 1
        soak.serve()
        await answers(soak)


async def end(soak: Soak) -> None:
    """Ends the server as an operator does; one that is only starting just goes."""
    soak.signal(signal.SIGTERM)
    assert soak.server is not None
    began = time.monotonic()
    with suppress(subprocess.TimeoutExpired):
        await asyncio.to_thread(soak.server.wait, 2 * ENDS_S)
    if soak.server.poll() not in (0, -signal.SIGTERM) or time.monotonic() - began > ENDS_S:
        soak.finds("stuck", f"the server ended with {soak.server.poll()} after {time.monotonic() - began:.1f} s")
        soak.signal(signal.SIGKILL)
        soak.server.wait()
    soak.ends += 1


# ---------------------------------------------------------------------------------------------------------- the client


class Unanswered(Exception):  # noqa: N818 - the fact
    """Nobody answered; the message may have been taken or not."""


class Line:
    """One connection, opened again after whatever happened to it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: object) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Unanswered."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._post(path, json.dumps(body).encode())
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            raise Unanswered from error

    async def _post(self, path: str, content: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (path.encode(), len(content)))
        writer.write(content)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        answer = int(head.split()[1]), await reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def insist(soak: Soak, line: Line, talk: Talk, id: str, word: str) -> Answer | None:
    """Sends until it is answered with a turn; None where the soak is over before."""
    soak.sent += 1
    is_first = True
    while not soak.is_over:
        soak.repeated += not is_first
        is_first = False
        try:
            status, content = await line.post(f"/v1/conversations/{talk.name}/messages", {"text": word, "id": id})
        except Unanswered:
            await asyncio.sleep(AGAIN_S)
            continue
        if status == 200:
            return Answer(word, tuple((reply["id"], reply["text"]) for reply in json.loads(content)["replies"]))
        if status not in (202, 429, 503):
            soak.finds("lost", f"{talk.name} {id} {word}: {status} {content.decode()[:200]}")
            return None
        await asyncio.sleep(AGAIN_S)
    return None


async def said(soak: Soak, line: Line, talk: Talk, id: str, word: str) -> Answer | None:
    """The answer that is no failure of ours: after one the user says it again, as they are asked to."""
    while (answer := await insist(soak, line, talk, id, word)) is not None and answer.is_failure:
        talk.answers.append(answer)
        id += "-again"
    return answer


async def converse(soak: Soak, number: int, until: float) -> None:
    """One conversation after the other; the last one is talked to its end."""
    lines, rng = [Line(soak.port) for _ in BURSTS], Random(number)
    count = 0
    while time.monotonic() < until:
        count += 1
        talk = Talk(f"c{number}-{count}")
        soak.talks.append(talk)
        words = [rng.choice(WORDS) for _ in range(rng.randint(2, 12))]
        words.append("leave" if rng.random() < LEAVING else "bye")
        at = 0
        while at < len(words):
            await asyncio.sleep(rng.expovariate(1 / THINK_S) if time.monotonic() < until else 0)
            size = rng.choice(BURSTS) if at + max(BURSTS) < len(words) else 1
            if not await burst(soak, lines[:size], talk, at, words[at : at + size]):
                break
            at += size
    for line in lines:
        line.close()


async def burst(soak: Soak, lines: Sequence[Line], talk: Talk, at: int, words: Sequence[str]) -> bool:
    """Sends messages at once, and waits for all answers. The server says in which order it took them: by its count."""
    asked = [
        said(soak, line, talk, f"m{at + i}", word) for i, (line, word) in enumerate(zip(lines, words, strict=True))
    ]
    answers = await asyncio.gather(*asked)
    told = [answer for answer in answers if answer is not None]
    talk.answers.extend(sorted(told, key=count_of))
    if len(told) < len(words):
        soak.finds("stuck", f"{talk.name} m{at} {words} was never answered")
    return len(told) == len(words)


def count_of(answer: Answer) -> int:
    """The count in the first reply that has one."""
    return next((int(found[2]) for _, text in answer.replies if (found := TOLD.match(text))), 0)


# ------------------------------------------------------------------------------------------------------ the accounting


@dataclass(frozen=True)
class Stored:
    """A conversation as the store has it: the replies in order, whether it ended, what is left of it, and how many
    messages were set aside."""

    replies: tuple[tuple[str, str], ...]
    is_ended: bool
    left: int
    turns: int
    dead: int = 0


def checked(soak: Soak) -> None:
    """The store as `flowc db check` sees it: some hundred conversations are taken again from their journals."""
    from flowc.runtime.history.checked import Checking
    from flowc.runtime.store.reading import reading

    with reading(soak.store) as reader:
        for finding in Checking(reader, sample=500).findings():
            soak.finds("lost", finding)


async def stored(soak: Soak) -> dict[str, Stored]:
    from flowc.runtime.engine.stored import Spoken
    from flowc.runtime.store.rows import Address, Wanted
    from flowc.runtime.store.sqlite import sqlite_store
    from flowc.runtime.values import decode

    found = {}
    async with sqlite_store(soak.store) as store:
        dead = Counter(event.address for event in await store.dead(100_000) if event.dead.kind == "message")
        others = [event for event in await store.dead(100_000) if event.dead.kind != "message"]
        soak.set_aside = dead.total()
        for event in others:
            soak.finds("lost", f"{event.address} {event.dead.kind} set aside: {event.dead.reason}")
        for talk in soak.talks:
            address = Address(talk.name)
            [loaded] = await store.load([Wanted(address)])
            turns = await store.journal(address, None, 0, 100_000)
            replies = [
                (f"{turn.incarnation}.{turn.turn}.{index}", reply.text)
                for turn in turns
                for index, reply in enumerate(decode(turn.entry.replies, Spoken).replies)
            ]
            if [turn.turn for turn in turns] != list(range(1, len(turns) + 1)):
                soak.finds("lost", f"{talk.name}: turns {[turn.turn for turn in turns]}")
            row = loaded.row
            left = len(loaded.inbox) + row.jobs + len(row.timers) + len(await store.commands(address))
            found[talk.name] = Stored(
                tuple(replies), row.ended and row.incarnation == 1, left, len(turns), dead[address]
            )
    return found


def account(soak: Soak, talk: Talk, kept: Stored, entries: Counter[int]) -> None:
    """What this conversation shows. `entries`: how often each of its steps is in the ledger."""
    if not kept.is_ended or kept.left:
        soak.finds("stuck", f"{talk.name}: ended {kept.is_ended}, {kept.left} rows left")
    numbers = {reply: at for at, reply in enumerate(kept.replies)}
    if len({id for id, _ in kept.replies}) < len(kept.replies):
        soak.finds("doubled", f"{talk.name}: a reply's id is there twice")
    began = -1
    for answer in talk.answers:
        places = [numbers.get(reply) for reply in answer.replies]
        for reply, place in zip(answer.replies, places, strict=True):
            if place is None:
                soak.finds("lost", f"{talk.name}: {reply} was told and is not stored")
        known = [place for place in places if place is not None]
        # A repetition is answered with all that its message caused, so only its first reply has its place among others.
        if known != sorted(known) or (known and known[0] <= began and not answer.is_failure):
            soak.finds("disorder", f"{talk.name}: {answer.replies} came after a later one")
        began = began if answer.is_failure else max([began, *known[:1]])
    account_counts(soak, talk, kept.dead)
    account_effects(soak, talk, kept, entries)


def account_counts(soak: Soak, talk: Talk, dead: int) -> None:
    """Each message adds one, and the first reply to it says so. One that was set aside adds none."""
    count = 0
    failed = sum(answer.is_failure for answer in talk.answers)
    if failed != dead:
        soak.finds("lost", f"{talk.name}: {dead} messages were set aside, {failed} users were told")
    for answer in talk.answers:
        if answer.word in ("bye", "leave") or answer.is_failure:
            continue
        count += 1
        texts = [text for _, text in answer.replies if text != "Ready."]
        told = TOLD.match(texts[0]) if texts else None
        if told is None or int(told[2]) != count:
            is_more = told is not None and int(told[2]) > count
            soak.finds("doubled" if is_more else "lost", f"{talk.name}: message {count} ({answer.word}) got {texts}")
            return


def account_effects(soak: Soak, talk: Talk, kept: Stored, entries: Counter[int]) -> None:
    said: dict[int, list[str]] = {}
    for _, text in kept.replies:
        if found := TOLD.match(text):
            said.setdefault(int(found[2]), []).append(found[1])
    for step, words in said.items():
        done, wanted = entries.get(step, 0), words[0] in ("Paying", "Queued") or words[-1] in ("Unknown", "Failed")
        ends = [word for word in words if word in ("Done", "Failed", "Unknown")]
        if done > 1:
            soak.finds("doubled", f"{talk.name}: step {step} {words} is {done} times in the ledger")
        if len(ends) > 1 or len(words) > 2:
            soak.finds("doubled", f"{talk.name}: step {step} was told of as {words}")
        if wanted and not ends:
            soak.finds("lost", f"{talk.name}: step {step} was never told of: {words}")
        if "Done" in ends and done == 0:
            soak.finds("lost", f"{talk.name}: step {step} was told of as done, and is not in the ledger")
        if "Failed" in ends and done:
            soak.finds("lost", f"{talk.name}: step {step} was told of as not done, and is in the ledger")
    for step in entries.keys() - said.keys():
        soak.finds("lost", f"{talk.name}: step {step} is in the ledger and was never told of")


def ledger_of(soak: Soak) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = {}
    for line in soak.ledger.read_text().splitlines() if soak.ledger.exists() else []:
        entry = json.loads(line)
        found.setdefault(entry["conversation"], Counter())[entry["step"]] += 1
    return found


# ------------------------------------------------------------------------------------------------------------- a whole


async def all_ended(soak: Soak) -> None:
    """Waits until no conversation lives, or it has taken too long."""
    import apsw

    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        connection = apsw.Connection(str(soak.store), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(2000)
        living = connection.execute("SELECT count(*) FROM conversation WHERE NOT ended OR jobs").get
        connection.close()
        if not living:
            return
        await asyncio.sleep(0.5)


async def soaked(soak: Soak, minutes: float, every_s: float, conversations: int) -> None:
    until = time.monotonic() + minutes * 60
    soak.serve()
    await answers(soak)
    disturbing = asyncio.create_task(disturb(soak, until, every_s))
    talking = [asyncio.create_task(converse(soak, number, until)) for number in range(conversations)]
    await disturbing
    _, late = await asyncio.wait(talking, timeout=max(0.0, until - time.monotonic()) + SETTLE_S)
    soak.is_over = True
    if late:
        await asyncio.wait(late)
    for task in talking:
        task.result()
    await all_ended(soak)
    await end(soak)
    await asyncio.to_thread(checked, soak)
    kept, entered = await stored(soak), ledger_of(soak)
    for talk in soak.talks:
        account(soak, talk, kept[talk.name], entered.get(talk.name, Counter()))
    turns = sum(each.turns for each in kept.values())
    print(report(soak, turns, minutes))


def report(soak: Soak, turns: int, minutes: float) -> str:
    kinds = Counter(kind for kind, _ in soak.findings)
    told = Counter(
        found[1] for talk in soak.talks for answer in talk.answers for _, text in answer.replies
        if (found := TOLD.match(text))
    )  # fmt: skip
    complaints = soak.complaints.read_text().splitlines() if soak.complaints.exists() else []
    found = ", ".join(f"{kinds[kind]} {kind}" for kind in ("lost", "doubled", "disorder", "stuck"))
    return (
        f"{minutes:g} minutes: {turns:,} turns in {len(soak.talks):,} conversations, {soak.kills} kills, "
        f"{soak.stops} stops, {soak.ends} orderly ends, "
        f"{soak.sent:,} messages sent {soak.sent + soak.repeated:,} times, "
        f"{told['Unknown']} writes in doubt, {soak.set_aside} messages set aside, "
        f"{len(complaints)} lines in the log: {found}"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(
    folder: Path, minutes: float, every_s: float, *, conversations: int = CONVERSATIONS, seed: int = 1
) -> Sequence[tuple[str, str]]:
    """Soaks in `folder`; what was found wrong."""
    shutil.copytree(HERE, folder, dirs_exist_ok=True)
    settings, backend_port = folder / "flowc.toml", free_port()
    settings.write_text(settings.read_text().replace("8801", str(backend_port)))
    soak = Soak(folder, Random(seed), free_port())
    backend = subprocess.Popen([sys.executable, str(folder / "backend.py"), str(backend_port), str(soak.ledger)])
    try:
        asyncio.run(soaked(soak, minutes, every_s, conversations))
    finally:
        for process in (backend, soak.server):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
    return soak.findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=3, help="seconds between two kills, on average")
    parser.add_argument("--conversations", type=int, default=CONVERSATIONS, help="at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, help="a folder for the store, the ledger and the log; else they are removed"
    )
    arguments = parser.parse_args()
    kept = arguments.keep or Path(tempfile.mkdtemp(prefix="flowc-soak-"))
    findings = run(kept, arguments.minutes, arguments.every, conversations=arguments.conversations, seed=arguments.seed)
    for kind, what in findings[:50]:
        print(f"  {kind}: {what}")
    if arguments.keep is None:
        shutil.rmtree(kept)
    raise SystemExit(1 if findings else 0)


if __name__ == "__main__":
    main()
