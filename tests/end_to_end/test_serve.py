"""`flowc serve` where it cannot serve: one sentence on stderr that says what is wrong, and the exit code."""

import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from command import Ran, flowc
from end_to_end.bot import Bot, request


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh project of the order template, for a free port."""
    assert flowc("init", tmp_path / "bot").code == 0
    return tmp_path / "bot"


def serve(project: Path, *arguments: str) -> Ran:
    """`flowc serve` that must not come to serve."""
    return flowc("serve", "--port", "0", "--project", project, *arguments)


def one_sentence(ran: Ran, code: int = 2) -> str:
    assert ran.code == code, ran
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert "bug" not in ran.err
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") <= 2, "the error, and a help"
    return ran.err


def made_store(project: Path) -> Path:
    """The store as another run of the bot left it."""
    assert flowc("chat", "--project", project, "--say", "hello").code == 0
    return project / ".flowc" / "dev.db"


@pytest.mark.timeout(60)
def test_a_store_that_another_server_has(bot: Bot) -> None:
    server = bot.serve()
    bot.say("c", "m1", "hello")
    error = one_sentence(serve(bot.project))
    assert f"in use by process {server.pid}" in error
    assert bot.say("c", "m1", "hello")["duplicate"]


def test_a_store_of_a_newer_flowc(project: Path) -> None:
    path = made_store(project)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    error = one_sentence(serve(project))
    assert "schema 99" in error
    assert "use a newer flowc" in error


def test_a_store_that_is_no_store(project: Path) -> None:
    path = project / ".flowc" / "dev.db"
    path.parent.mkdir()
    path.write_text("Dear diary, " * 1_000)
    assert "dev.db" in one_sentence(serve(project))
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    assert "dev.db" in one_sentence(serve(project))
    path.unlink()
    path.mkdir()
    assert "dev.db" in one_sentence(serve(project))


def test_a_store_that_is_damaged(project: Path) -> None:
    path = made_store(project)
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xa5" * 3996
    path.write_bytes(content)
    assert "damaged" in one_sentence(serve(project))


def test_a_folder_that_cannot_be_made(project: Path) -> None:
    (project / ".flowc").write_text("a file where the store's folder should be")
    assert ".flowc" in one_sentence(serve(project))


def test_a_store_from_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWC_STORE", "postgresql://nobody@nowhere/x")
    assert "postgresql://nobody@nowhere/x" in one_sentence(serve(project))


def test_a_broken_flow_is_shown_and_nothing_is_served(project: Path) -> None:
    flow = project / "order_support.flow"
    flow.write_text(flow.read_text().replace("on track_order -> track\n", "on track_order -> trak\n"))
    ran = serve(project)
    assert ran.code == 1
    assert "error[FLW201]: no state named `trak`" in ran.out + ran.err
    assert "Traceback" not in ran.err
    assert not (project / ".flowc").exists()


@pytest.mark.parametrize("port", ["-1", "65536", "http", ""])
def test_a_port_that_is_none(project: Path, port: str) -> None:
    ran = flowc("serve", "--project", project, "--port", port)
    assert ran.code == 2
    assert "--port" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("host", ["127.0.0.300", "no.such.host.invalid", "a..b", "192.0.2.1", "::1::", "x" * 300])
def test_a_host_that_is_not_ours(project: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "needs tokens" in one_sentence(serve(project, "--host", host))
    monkeypatch.setenv("BOT_TOKEN", "secret")
    with (project / "flowc.toml").open("a") as settings:
        settings.write('\n[environments.dev.tokens.website]\ntoken = { env = "BOT_TOKEN" }\n')
    assert "cannot listen on" in one_sentence(serve(project, "--host", host))


def test_a_token_that_is_not_set(project: Path) -> None:
    with (project / "flowc.toml").open("a") as settings:
        settings.write('\n[environments.dev.tokens.website]\ntoken = { env = "NO_SUCH_TOKEN" }\n')
    assert "NO_SUCH_TOKEN" in one_sentence(serve(project))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_is_told_to_stop_ends_well(bot: Bot, number: signal.Signals) -> None:
    bot.serve()
    bot.say("c", "m1", "hello")
    request("GET", bot.url("c", ""))
    assert bot.stop(number) == (0, "")


@pytest.mark.timeout(60)
def test_a_server_says_where_it_listens(bot: Bot) -> None:
    command = [*bot.command, "--host", "::1", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        server.terminate()
        server.communicate(timeout=20)
    assert line.startswith("order_support 2.1.0 (dev) on http://[::1]:"), line
