"""A bot as somebody has it: a project made by `flowc init`, its backends and `flowc serve` as processes, and a client
that repeats what was not answered."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command import flowc

FLOWC = [sys.executable, "-m", "flowc.cli"]
SERVICES = ("orders", "crm", "tickets")
PATIENCE_S = 30


class Unanswered(Exception):  # noqa: N818 - the fact
    """Nobody answered; the message may have been taken or not."""


def request(method: str, url: str, body: object = None) -> dict[str, Any]:
    """The JSON answer. Raises Unanswered where there was none, also where the server stops."""
    content = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, content, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 503:
                raise AssertionError(f"{error.code}: {error.read().decode()}") from error
            raise Unanswered(str(error)) from error
    except (OSError, ValueError) as error:
        raise Unanswered(str(error)) from error


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_offset() -> int:
    """How far to move the backends' ports so that all are free."""
    for offset in range(0, 20_000, 10):
        try:
            for port in (8801, 8802, 8803):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return offset
    raise AssertionError("no free ports")


@dataclass
class Bot:
    """`project` may be served by one process after the other."""

    project: Path
    ledger: Path
    offset: int
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[str] | None = None

    @property
    def command(self) -> list[str]:
        return [*FLOWC, "serve", "--project", str(self.project)]

    def serve(self) -> subprocess.Popen[str]:
        """Starts a server; it takes requests some time later."""
        command = [*self.command, "--port", str(self.port), "--quiet"]
        self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return self.server

    def stop(self, number: signal.Signals = signal.SIGKILL) -> tuple[int, str]:
        """Sends the signal; the exit code, and what the server complained about."""
        assert self.server is not None
        self.server.send_signal(number)
        complaints = self.server.communicate(timeout=PATIENCE_S)[1]
        code, self.server = self.server.returncode, None
        return code, complaints

    def replace(self) -> None:
        """kill -9, and another one on the same file."""
        self.stop()
        self.serve()

    def control(self, service: str, **behaviour: object) -> None:
        port = 8801 + SERVICES.index(service) + self.offset
        insist(lambda: request("PUT", f"http://127.0.0.1:{port}/control", behaviour))

    def url(self, conversation: str, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/v1/conversations/{conversation}{path}"

    def send(self, conversation: str, id: str, text: str) -> dict[str, Any]:
        """One try. Raises Unanswered."""
        body = {"text": text, "id": id, "user": {"id": "ann", "name": "Ann"}}
        return request("POST", self.url(conversation, "/messages"), body)

    def say(self, conversation: str, id: str, text: str) -> dict[str, Any]:
        """Sends until it is answered."""
        return insist(lambda: self.send(conversation, id, text))

    def said(self, conversation: str, count: int) -> list[tuple[str, str]]:
        """Ids and texts of the first `count` replies, from the stream."""
        found: list[tuple[str, str]] = []
        with urllib.request.urlopen(self.url(conversation, "/stream"), timeout=PATIENCE_S) as stream:
            while len(found) < count:
                line = stream.readline().decode()
                if line.startswith("data: "):
                    reply = json.loads(line[6:])
                    found.append((reply["id"], reply["text"]))
        return found

    def effects(self) -> list[tuple[str, str]]:
        """What the backends did: effect and subject."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [(entry["effect"], entry["subject"]) for entry in map(json.loads, lines)]


def insist(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer, asked for again until there is one."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            told: dict[str, Any] = ask()
            return told
        except Unanswered:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def made_bot(folder: Path) -> Bot:
    """The order template; nobody serves it yet, and nobody its services."""
    project = folder / "bot"
    assert flowc("init", project, "--quiet").code == 0
    bot = Bot(project, folder / "ledger.jsonl", free_offset())
    settings = project / "flowc.toml"
    moved = re.sub(r"127\.0\.0\.1:(\d+)", lambda each: f"127.0.0.1:{int(each[1]) + bot.offset}", settings.read_text())
    settings.write_text(moved)
    return bot


@contextmanager
def order_bot(folder: Path) -> Iterator[Bot]:
    """The order template with its backends; nobody serves it yet."""
    bot = made_bot(folder)
    script = str(bot.project / "backends.py")
    command = [sys.executable, script, "--ledger", str(bot.ledger), "--offset", str(bot.offset)]
    backends = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        bot.control("orders", mode="ok")
        yield bot
    finally:
        if bot.server is not None:
            bot.stop()
        backends.terminate()
        backends.wait(PATIENCE_S)
