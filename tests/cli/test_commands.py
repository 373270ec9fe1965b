"""What each command does for somebody who types it, right and wrong."""

import json
import socket
from pathlib import Path

import pytest
from command import Ran, flowc

KEYS = {
    *("code", "name", "severity", "message", "file", "line", "column", "end_line", "end_column"),
    *("help", "notes", "related", "fix"),
}
BROKEN = 'flow shop 1.0.0\n\nstate start\n  say "Hello"\n  -> nowhere\n'
COMMANDS = [
    "init",
    "check",
    "fmt",
    "test",
    "chat",
    "diff",
    "serve",
    "explain",
    "graph",
    "build",
    "doctor",
    "erase",
    "service",
    "dead",
    "db",
    "simulate",
]


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    """A fresh project of the order template."""
    assert flowc("init", tmp_path / "bot").code == 0
    return tmp_path / "bot"


def one_sentence(ran: Ran) -> str:
    """The error of a command that could not do its work: no traceback, and the first line says what is wrong."""
    assert ran.code == 2, ran
    assert "Traceback" not in ran.err
    assert "this is a bug" not in ran.err
    return ran.err


# ------------------------------------------------------------------------------------------------------- every command


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    ran = flowc(command, "--help")
    assert ran.code == 0
    assert "Example: flowc" in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_a_usage_error(command: str) -> None:
    ran = flowc(command, "--colour-me-bad")
    assert ran.code == 2
    assert "--colour-me-bad" in ran.err


def test_an_unknown_command_is_a_usage_error() -> None:
    ran = flowc("chekc")
    assert ran.code == 2
    assert "chekc" in ran.err


@pytest.mark.parametrize("arguments", [("check",), ("build",), ("serve",), ("chat",), ("graph",), ("test",)])
def test_without_a_project_it_says_how_to_make_one(arguments: tuple[str, ...], tmp_path: Path) -> None:
    error = one_sentence(flowc(*arguments, folder=tmp_path))
    assert "no flowc.toml" in error
    assert "flowc init" in error


def test_a_broken_flowc_toml_is_shown_at_its_place(bot: Path) -> None:
    (bot / "flowc.toml").write_text('[bot\nname = "x"\n')
    ran = flowc("check", folder=bot)
    assert ran.code == 1
    assert "flowc.toml:1" in ran.out


def test_an_unknown_setting_is_shown_at_its_place(bot: Path) -> None:
    settings = bot / "flowc.toml"
    settings.write_text(settings.read_text().replace("[bot]", '[bot]\ncolour = "red"'))
    ran = flowc("check", folder=bot)
    assert ran.code == 1
    assert "error[FLW212]: no setting named `colour`" in ran.out
    assert "flowc.toml:2:1" in ran.out


# ------------------------------------------------------------------------------------------------------ init and check


@pytest.mark.parametrize("template", ["order", "booking", "faq", "empty"])
def test_each_template_passes_check_fmt_and_test_at_once(template: str, tmp_path: Path) -> None:
    assert flowc("init", tmp_path / "bot", "--template", template).code == 0
    checked = flowc("check", folder=tmp_path / "bot")
    assert (checked.code, checked.out) == (0, "")
    assert flowc("fmt", "--check", folder=tmp_path / "bot").code == 0
    tested = flowc("test", "--min", "100", folder=tmp_path / "bot")
    assert tested.code == 0, tested.out


def test_init_refuses_a_folder_with_files(bot: Path) -> None:
    assert "is not empty" in one_sentence(flowc("init", bot))


def test_check_finds_and_points(tmp_path: Path) -> None:
    (tmp_path / "shop.flow").write_text(BROKEN)
    ran = flowc("check", "shop.flow", folder=tmp_path)
    assert ran.code == 1
    assert "error[FLW201]: no state named `nowhere`" in ran.out
    assert "--> shop.flow:5:6" in ran.out


def test_check_reads_standard_input() -> None:
    ran = flowc("check", "-", stdin=BROKEN)
    assert ran.code == 1
    assert "<stdin>.flow:5:6" in ran.out


def test_check_as_json_is_one_object_a_line(tmp_path: Path) -> None:
    (tmp_path / "shop.flow").write_text(BROKEN)
    ran = flowc("check", "shop.flow", "--format", "json", folder=tmp_path)
    found = [json.loads(line) for line in ran.out.splitlines()]
    first = next(each for each in found if each["code"] == "FLW201")
    assert {
        "code",
        "name",
        "severity",
        "message",
        "file",
        "line",
        "column",
        "end_line",
        "end_column",
        "help",
        "notes",
        "related",
        "fix",
    } == set(first)
    assert (first["file"], first["line"], first["column"], first["end_column"]) == ("shop.flow", 5, 6, 13)


def test_check_for_github_annotates_the_file(tmp_path: Path) -> None:
    (tmp_path / "shop.flow").write_text(BROKEN)
    ran = flowc("check", "shop.flow", "--format", "github", folder=tmp_path)
    assert "::error file=shop.flow,line=5,endLine=5,col=6,endColumn=13,title=FLW201 unknown-state::" in ran.out


def test_check_names_files_from_where_it_runs(bot: Path) -> None:
    flow = bot / "order_support.flow"
    flow.write_text(flow.read_text().replace("on track_order -> track\n", "on track_order -> trak\n"))
    assert "bot/order_support.flow:" in flowc("check", "bot", folder=bot.parent).out


def test_check_repairs_what_is_certain(bot: Path) -> None:
    flow = bot / "order_support.flow"
    whole = flow.read_text()
    flow.write_text(whole.replace("on track_order -> track\n", "on track_order -> trak\n"))
    assert flowc("check", "--fix", folder=bot).code == 0
    assert flow.read_text() == whole


def test_colours_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "shop.flow").write_text(BROKEN)
    assert "\x1b[" in flowc("check", "shop.flow", "--color", "always", folder=tmp_path).out
    assert "\x1b[" not in flowc("check", "shop.flow", folder=tmp_path).out


def test_a_missing_file_is_one_sentence() -> None:
    assert "there is no file or folder `nowhere.flow`" in one_sentence(flowc("check", "nowhere.flow"))


def test_a_file_that_is_not_utf8_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "shop.flow").write_bytes(b"flow shop 1.0.0\n\xff\xfe")
    error = one_sentence(flowc("check", "shop.flow", folder=tmp_path))
    assert "not UTF-8" in error


# ----------------------------------------------------------------------------------------------------------------- fmt


def test_fmt_writes_the_canonical_text_once(bot: Path) -> None:
    flow = bot / "order_support.flow"
    whole = flow.read_text()
    flow.write_text(whole.replace("  ask order_id\n", "  ask   order_id   \n"))
    assert flowc("fmt", "--check", folder=bot).code == 1
    assert flow.read_text() != whole
    assert flowc("fmt", folder=bot).code == 0
    assert flow.read_text() == whole


def test_fmt_leaves_a_broken_file_alone(tmp_path: Path) -> None:
    broken = 'flow shop 1.0.0\nstate start\n  say "never closed\n'
    (tmp_path / "shop.flow").write_text(broken)
    ran = flowc("fmt", "shop.flow", folder=tmp_path)
    assert ran.code == 1
    assert "FLW107" in ran.out
    assert (tmp_path / "shop.flow").read_text() == broken


def test_fmt_formats_a_pipe() -> None:
    assert flowc("fmt", "-", stdin="library  x\n").out == "library x\n"


# ---------------------------------------------------------------------------------------------------------------- test


def test_a_chat_that_fails_shows_its_line(bot: Path) -> None:
    (bot / "wrong.chat").write_text('chat "it sings" of order_support\n  bot "La la la"\n')
    ran = flowc("test", "wrong.chat", folder=bot)
    assert ran.code == 1
    assert "wrong.chat:2:3" in ran.out
    assert 'the bot said "Hello there!' in ran.out


def test_a_chat_with_unknown_names_is_a_finding(bot: Path) -> None:
    (bot / "wrong.chat").write_text(
        'chat "x" of order_support\n  given orders.git -> none\n  given orders.get fails taken\n  bot any\n'
    )
    ran = flowc("test", "wrong.chat", folder=bot)
    assert ran.code == 1
    assert "error[FLW901]: no operation named `git`" in ran.out
    assert "did you mean `get`?" in ran.out
    assert "error[FLW902]: `get` cannot fail as `taken`" in ran.out


def test_too_little_coverage_fails(bot: Path) -> None:
    (bot / "order_support.chat").write_text('chat "hello" of order_support\n  bot any\n')
    ran = flowc("test", "--min", "50", folder=bot)
    assert ran.code == 1
    assert "no chat enters order_support.track" in ran.out
    assert "no chat has not_found of track.orders.get in order_support" in ran.out


# ------------------------------------------------------------------------------------------ explain, graph, build, chat


def test_explain_shows_a_page() -> None:
    assert "unknown-state" in flowc("explain", "FLW201").out
    assert flowc("explain", "unknown-state").out == flowc("explain", "flw201").out


def test_explain_suggests_a_code() -> None:
    assert "did you mean `FLW201`?" in one_sentence(flowc("explain", "FLW2011"))
    assert "did you mean `unknown-state`?" in one_sentence(flowc("explain", "unknwon-state"))


def test_explain_shows_what_a_service_costs(bot: Path) -> None:
    out = flowc("explain", "service", "orders", folder=bot).out
    assert "breaker     50% of 20 for 30s" in out
    assert "within      2s" in out
    assert "has no" not in out
    assert "`ordres`" in one_sentence(flowc("explain", "service", "ordres", folder=bot))


@pytest.mark.parametrize(("drawing", "begins"), [("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")])
def test_graph_draws(drawing: str, begins: str, bot: Path) -> None:
    out = flowc("graph", "--format", drawing, folder=bot).out
    assert begins in out
    assert "anything_else" in out


def test_build_is_reproducible(bot: Path, tmp_path: Path) -> None:
    assert flowc("init", tmp_path / "elsewhere" / "other").code == 0
    first = flowc("build", "-o", tmp_path / "one.bundle", folder=bot)
    second = flowc("build", "-o", tmp_path / "two.bundle", folder=tmp_path / "elsewhere" / "other")
    assert first.out == second.out
    assert first.out.startswith("sha256:")
    assert (tmp_path / "one.bundle").read_bytes() == (tmp_path / "two.bundle").read_bytes()


def test_build_refuses_flows_with_errors(bot: Path) -> None:
    flow = bot / "order_support.flow"
    flow.write_text(flow.read_text().replace("on track_order -> track\n", "on track_order -> trak\n"))
    ran = flowc("build", folder=bot)
    assert ran.code == 1
    assert "FLW201" in ran.out


def test_chat_with_made_up_backends_in_a_pipe(bot: Path) -> None:
    ran = flowc("chat", "--stub", folder=bot, stdin="cancel my order\nAB123456\n/state\n/why\n/after 30m\n")
    assert ran.code == 0, ran
    assert "What is your order number?" in ran.out
    assert "order_support/cancel.listen" in ran.out
    assert "order_id = 'AB123456'" in ran.out


def test_chat_as_json_is_one_object_a_turn(bot: Path) -> None:
    ran = flowc("chat", "--stub", "--json", "--say", "track my order", folder=bot)
    opened, asked = (json.loads(line) for line in ran.out.splitlines())
    assert opened["state"] == asked["state"] == "waiting"
    assert asked["replies"] == [{"text": "What is your order number?"}]


# ---------------------------------------------------------------------------------------------------- serve and doctor


def test_serve_says_that_the_port_is_taken(bot: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = one_sentence(flowc("serve", "--port", str(port), folder=bot))
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in error
    assert "--port" in error


def test_serve_refuses_the_world_without_tokens(bot: Path) -> None:
    error = one_sentence(flowc("serve", "--host", "0.0.0.0", folder=bot))
    assert "needs tokens" in error


def test_serve_names_every_missing_address(bot: Path) -> None:
    settings = bot / "flowc.toml"
    settings.write_text(settings.read_text().split("[environments.dev.services.orders]")[0])
    error = one_sentence(flowc("serve", "--port", "0", folder=bot))
    for service in ("orders", "crm", "tickets"):
        assert f"service `{service}` has no address" in error


def test_an_unknown_environment_is_one_sentence(bot: Path) -> None:
    error = one_sentence(flowc("serve", "--env", "prodution", folder=bot))
    assert "no environment `prodution`" in error
    assert "`dev`" in error


def test_a_missing_secret_is_one_sentence(bot: Path) -> None:
    settings = bot / "flowc.toml"
    address = 'url = "http://127.0.0.1:8801"'
    with_secret = f'{address}\nbearer = {{ env = "NO_SUCH" }}'
    text = settings.read_text().replace(address, with_secret)
    settings.write_text(text)
    assert "environment variable NO_SUCH" in one_sentence(flowc("serve", "--port", "0", folder=bot))


def test_a_store_that_cannot_be_is_one_sentence(bot: Path) -> None:
    settings = bot / "flowc.toml"
    template = settings.read_text()
    for store, words in [("mysql://x", "mysql"), ("sqlite:////proc/nowhere/x.db", "/proc/nowhere")]:
        settings.write_text(template.replace("sqlite:///.flowc/dev.db", store))
        assert words in one_sentence(flowc("chat", "--say", "hello", folder=bot))


def test_doctor_finds_what_is_missing(bot: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    settings = bot / "flowc.toml"
    settings.write_text(settings.read_text().replace("8801", str(nobody)))
    ran = flowc("doctor", folder=bot)
    assert "order_support 2.1.0: 1 flows without errors" in ran.out
    assert f"nobody listens at http://127.0.0.1:{nobody}" in ran.out
    assert ran.code == 0
    settings = bot / "flowc.toml"
    settings.write_text(settings.read_text().split("[environments.dev.services.orders]")[0])
    ran = flowc("doctor", folder=bot)
    assert ran.code == 1
    assert "service `orders` has no address" in ran.out
