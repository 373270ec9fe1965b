"""Where a project begins, what belongs to it, and what its settings may say."""

from pathlib import Path

import pytest

from flowc.compiler.compile import check_project, compile_project
from flowc.compiler.project import Project, ProjectError, open_project

HELLO = 'flow {name} 1.0.0\n\nstate start\n  say "Hello!"\n  end\n'
SETTINGS = '[bot]\nname = "shop"\nmain = "flows/shop.flow"\n'


def written(root: Path, texts: dict[str, str]) -> Path:
    for path, text in texts.items():
        at = root / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text, encoding="utf-8")
    return root


def test_project_is_found_upwards_from_a_file(tmp_path: Path) -> None:
    root = written(tmp_path, {"flowc.toml": SETTINGS, "flows/shop.flow": HELLO.format(name="shop")})
    project = open_project(root / "flows" / "shop.flow")
    assert project.root == root
    assert list(project.sources) == ["flows/shop.flow"]
    assert project.main == "flows/shop.flow"


def test_flows_of_another_project_inside_and_of_tools_do_not_belong(tmp_path: Path) -> None:
    hello = HELLO.format(name="other")
    root = written(
        tmp_path,
        {
            "flowc.toml": SETTINGS,
            "flows/shop.flow": HELLO.format(name="shop"),
            "inner/flowc.toml": SETTINGS,
            "inner/other.flow": hello,
            ".venv/other.flow": hello,
        },
    )
    assert list(open_project(root).sources) == ["flows/shop.flow"]


def test_file_without_settings_is_a_project_with_what_it_imports(tmp_path: Path) -> None:
    library = 'library words\n\nintent order\n  "order"\n\nintent other\n  "other"\n'
    flow = (
        'flow shop 1.0.0\n  use order from "words.flow"\n\nstate start\n  say "Hello!"\n  listen\n    on order -> bye\n'
        '    on silence 1m -> bye\n    else -> bye\n\nstate bye\n  say "Bye!"\n  end\n'
    )
    root = written(tmp_path, {"shop.flow": flow, "words.flow": library, "unrelated.flow": "nonsense"})
    outcome = compile_project(open_project(root / "shop.flow"))
    assert outcome.diagnostics == ()
    assert outcome.program is not None
    assert outcome.program.main == "shop"


def test_every_flow_of_the_folder_is_checked_also_where_nothing_reaches_it(tmp_path: Path) -> None:
    lost = HELLO.format(name="lost").replace("  end", "  -> nowhere")
    root = written(
        tmp_path, {"flowc.toml": SETTINGS, "flows/shop.flow": HELLO.format(name="shop"), "old/lost.flow": lost}
    )
    found = check_project(open_project(root)).diagnostics
    assert [(each.code.id, each.span.path) for each in found] == [("FLW201", "old/lost.flow")]


@pytest.mark.parametrize(
    ("texts", "place", "says"),
    [
        ({}, "missing", "does not exist"),
        ({"readme.txt": ""}, ".", "flowc init"),
    ],
)
def test_nothing_to_open_says_what_to_do(tmp_path: Path, texts: dict[str, str], place: str, says: str) -> None:
    with pytest.raises(ProjectError, match=says):
        open_project(written(tmp_path, texts) / place)


def test_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop.flow").write_bytes(b"flow shop 1.0.0 \xff")
    with pytest.raises(ProjectError, match=r"shop.flow.*UTF-8"):
        open_project(tmp_path / "shop.flow")


def settings_found(text: str) -> list[tuple[str, str]]:
    """What is reported about the settings `text`: the text under the place, and the message."""
    project = Project.of_texts({"flowc.toml": text, "shop.flow": HELLO.format(name="shop")})
    outcome = check_project(project)
    return [(outcome.sources[each.span.path].slice(each.span), each.message) for each in outcome.diagnostics]


BOT = '[bot]\nname = "shop"\nmain = "shop.flow"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOT, []),
        (BOT + 'zoen = "UTC"\n', [("zoen", "no setting named `zoen`")]),
        ('[bot]\nname = "shop"\nmian = "shop.flow"\n', [("mian", "no setting named `mian`")]),
        (BOT + 'zone = "Europe/Berln"\n', [("zone", "the setting `bot.zone` cannot have this value")]),
        (BOT + "locales = 3\n", [("locales", "the setting `bot.locales` has to be a list")]),
        (BOT.replace("shop.flow", "shpo.flow"), [("main", "there is no file `shpo.flow`")]),
        (BOT + '[user]\ntier = "txt"\n', [("tier", "`txt` is no type for `user.tier`")]),
        (
            BOT + '[environments.dev.services.orders]\nurl = "http://127.0.0.1"\n',
            [("environments.dev.services.orders", "no flow declares a service named `orders`")],
        ),
        (
            BOT + 'x = 1\ny = 2\n[environments.dev]\nstor = "sqlite:///a.db"\n',
            [
                ("x", "no setting named `x`"),
                ("y", "no setting named `y`"),
                ("stor", "no setting named `stor`"),
            ],
        ),
        (
            BOT
            + '[environments.dev]\nlimit = "200/s"\n'
            + '[environments.dev.tokens.web]\ntoken = {env = "X"}\nlimit_per_user = "5/h"\n',
            [],
        ),
        (
            BOT + '[environments.dev]\nlimit = 200\nlimit_per_user = "5 a minute"\n',
            [
                ("limit", "the setting `environments.dev.limit` has to be text"),
                ("limit_per_user", "the setting `environments.dev.limit_per_user` cannot have this value"),
            ],
        ),
        (BOT + '[environments.dev]\nkeep = "7d"\n', []),
        *(
            (BOT + f"[environments.dev]\nkeep = {value}\n", [("keep", f"the setting `environments.dev.keep` {why}")])
            for value, why in (
                ('"6d"', "cannot have this value"),
                ('"2h"', "cannot have this value"),
                ("30", "has to be text"),
            )
        ),
        ("[bot\n", [("", "`flowc.toml` is not TOML")]),
    ],
)
def test_settings(text: str, expected: list[tuple[str, str]]) -> None:
    assert settings_found(text) == expected


def test_secrets_are_only_named() -> None:
    found = settings_found(BOT + '[environments.dev]\ntokens = {web = {token = "hunter2"}}\n')
    assert [message for _, message in found] == ["the setting `environments.dev.tokens.web.token` has to be a table"]


def test_user_fields_are_optional_in_flows() -> None:
    flow = HELLO.format(name="shop").replace("Hello!", "Hello {{ user.tier }}!")
    project = Project.of_texts({"flowc.toml": BOT + '[user]\ntier = "text"\n', "shop.flow": flow})
    assert [each.code.id for each in check_project(project).diagnostics] == ["FLW305"]


def test_severity_of_a_project() -> None:
    unused = 'intent order\n  "order"\n'
    flow = HELLO.format(name="shop").replace("\nstate", f"\n{unused}\nstate")
    levels = []
    for wanted in ("error", "info", "off"):
        toml = BOT + f'[check.severity]\nFLW210 = "{wanted}"\n'
        found = check_project(Project.of_texts({"flowc.toml": toml, "shop.flow": flow})).diagnostics
        levels.append([each.level.value for each in found])
    assert levels == [["error"], ["info"], []]


def test_an_error_that_is_fixed_cannot_be_lowered_or_allowed() -> None:
    flow = HELLO.format(name="shop").replace("  end", "  # flowc: allow FLW201 because it is late\n  -> nowhere")
    toml = BOT + '[check.severity]\nFLW201 = "off"\n'
    found = check_project(Project.of_texts({"flowc.toml": toml, "shop.flow": flow})).diagnostics
    assert [each.code.id for each in found] == ["FLW212", "FLW904", "FLW201"]


def test_an_allowance_silences_one_finding_on_the_next_line() -> None:
    flow = HELLO.format(name="shop").replace(
        "\nstate", '\n# flowc: allow FLW210 because it is for later\nintent order\n  "order"\n\nstate'
    )
    assert check_project(Project.of_texts({"shop.flow": flow})).diagnostics == ()
