"""The order bot in five minutes' worth of trouble, played in a few seconds against real processes.

Makes a project as `flowc init` does, starts its backends and `flowc serve` on SQLite, talks to it over HTTP while
backends are slow, down or lose their answers, kills the server with SIGKILL in the middle, and shows what the
backends' own ledger recorded. On a terminal the conversation then stays open.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

FLOWC = [sys.executable, "-m", "flowc.cli"]
SERVICES = ("orders", "crm", "tickets")
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


class Reply(msgspec.Struct):
    text: str
    buttons: tuple[str, ...] = ()


class Turn(msgspec.Struct):
    """What the demo reads of an answer of the server."""

    replies: tuple[Reply, ...]


def styled(text: str, code: int) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if COLOUR else text


def note(text: str) -> None:
    print(styled(f"      -- {text}", 2), flush=True)


def request(method: str, url: str, body: object = None) -> bytes:
    """The body of the answer. Tries again while nobody listens, as a client with an id on its message may."""
    content = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, content, {"content-type": "application/json"}, method=method)
    for attempt in range(400):
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                received: bytes = answer.read()
                return received
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code != 503:
                raise SystemExit(f"the server answered {error.code}: {error.read().decode()}") from error
            if attempt == 399:
                raise
            time.sleep(0.025)
    raise AssertionError("unreachable")


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
    raise SystemExit("no free ports on 127.0.0.1")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Demo:
    """The processes of the demo and the conversation with them."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "order_bot"
        self.ledger = folder / "ledger.jsonl"
        self.offset = free_offset()
        self.port = free_port()
        self.server: subprocess.Popen[bytes] | None = None
        self.backends: subprocess.Popen[bytes] | None = None
        self.messages = 0

    def start(self) -> None:
        subprocess.run([*FLOWC, "init", str(self.project), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        settings = self.project / "flowc.toml"
        moved = re.sub(
            r"127\.0\.0\.1:(\d+)", lambda found: f"127.0.0.1:{int(found[1]) + self.offset}", settings.read_text()
        )
        settings.write_text(moved)
        command = [sys.executable, str(self.project / "backends.py"), "--ledger", str(self.ledger)]
        self.backends = subprocess.Popen([*command, "--offset", str(self.offset)], stdout=subprocess.DEVNULL)
        self.serve()
        for service in SERVICES:
            self.control(service, mode="ok", delay_ms=0)

    def serve(self) -> None:
        command = [*FLOWC, "serve", "--project", str(self.project), "--port", str(self.port), "--quiet"]
        self.server = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.server is not None
        self.server.send_signal(signal.SIGKILL)
        self.server.wait()

    def stop(self) -> None:
        for process in (self.server, self.backends):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(10)

    def control(self, service: str, **behaviour: object) -> None:
        port = 8801 + SERVICES.index(service) + self.offset
        request("PUT", f"http://127.0.0.1:{port}/control", behaviour)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def open(self) -> None:
        user = {"id": "ann", "name": "Ann"}
        self.show(request("POST", self.url("/v1/conversations/demo/open"), {"user": user}), None)

    def say(self, text: str) -> None:
        """Send a message and print the replies with the time they took. The id makes a repetition harmless."""
        self.messages += 1
        print(f"{styled('you', 36)}   {text}")
        began = time.monotonic()
        body = {"text": text, "id": f"m{self.messages}", "user": {"id": "ann", "name": "Ann"}}
        self.show(request("POST", self.url("/v1/conversations/demo/messages"), body), time.monotonic() - began)

    def show(self, answer: bytes, took_s: float | None) -> None:
        stamp = "" if took_s is None else styled(f"   ({took_s * 1000:.0f} ms)", 2)
        replies = msgspec.json.decode(answer, type=Turn).replies
        for index, reply in enumerate(replies):
            last = index == len(replies) - 1
            buttons = "".join(f"  [{label}]" for label in reply.buttons)
            print(f"{styled('bot', 33)}   {reply.text}{styled(buttons, 2)}{stamp if last else ''}", flush=True)


def play(demo: Demo) -> None:
    """The conversation."""
    note(f"the bot listens on {demo.url('/')}, its state is in a SQLite file")
    demo.open()
    note("both backends now take 300 ms; the flow reads them together")
    demo.control("orders", delay_ms=300)
    demo.control("crm", delay_ms=300)
    demo.say("where is AB123456")
    demo.say("yes")
    note("the customer database goes down; the order does not need it")
    demo.control("crm", mode="fail", delay_ms=0)
    demo.control("orders", delay_ms=0)
    demo.say("where is AB123458")
    demo.control("crm", mode="ok")
    demo.say("yes")
    demo.say("cancel my order")
    demo.say("AB123457")
    note("kill -9 of the server, and a new one on the same file")
    demo.kill()
    demo.serve()
    note("orders now does what it is asked, but its answers are lost: nobody can confirm the cancellation")
    demo.control("orders", mode="lose")
    demo.say("yes")
    demo.control("orders", mode="ok")
    demo.say("no")


def ledger(demo: Demo) -> None:
    """What the backends say happened."""
    deadline = time.monotonic() + 15
    entries: list[dict[str, str]] = []
    while time.monotonic() < deadline:
        lines = demo.ledger.read_text().splitlines() if demo.ledger.exists() else []
        entries = [json.loads(line) for line in lines]
        if {entry["effect"] for entry in entries} == {"cancel", "ticket"}:
            break
        time.sleep(0.1)
    print("\nThe backends' own ledger, each effect once:")
    for entry in entries:
        print(f"  {entry['effect']:7} {entry['subject']}  (key {entry['key'][:8]}…)")
    effects = sorted(entry["effect"] for entry in entries)
    if effects != ["cancel", "ticket"]:
        raise SystemExit(f"the ledger has {effects}, not one cancellation and one ticket")


def stay(demo: Demo) -> None:
    """Leave the chat open on a terminal."""
    print(f"\nThe bot still runs: open {demo.url('/')} in a browser, or write here (Ctrl-D ends).")
    while True:
        try:
            text = input(styled("you   ", 36)).strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if text:
            demo.say(text)


def main() -> None:
    """Play, show the ledger, and stay on a terminal."""
    with tempfile.TemporaryDirectory(prefix="flowc-demo-") as folder:
        demo = Demo(Path(folder))
        try:
            demo.start()
            play(demo)
            ledger(demo)
            if sys.stdin.isatty() and sys.stdout.isatty():
                stay(demo)
        finally:
            demo.stop()


if __name__ == "__main__":
    main()
