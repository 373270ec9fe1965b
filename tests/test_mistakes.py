"""Independent mistakes in the example projects: k of them are k reports, each at its place, and nothing else.

A mistake is what stands in the file, what an author writes instead, and the code of its report. `«…»` in what is
written is what the report points at; where it points elsewhere, that place is given too. Mistakes of the text alone
are in tests/dsl/test_mistakes.py; here are those that need the whole compiler, and some of the text among them.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowc.compiler.compile import check_project
from flowc.compiler.project import Project

FLOWS = Path(__file__).parent.parent / "flows"
TEXTS = {
    folder: {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((FLOWS / folder).iterdir())
        if path.suffix in (".flow", ".toml")
    }
    for folder in ("order_support", "table_booking", "employee_helpdesk")
}

Report = tuple[str, int, int, str]  # the file, the place, the code


@dataclass(frozen=True, slots=True)
class Mistake:
    path: str
    good: str
    bad: str
    code: str
    elsewhere: str = ""

    def __str__(self) -> str:
        return f"{self.code} {(self.elsewhere or self.bad).strip().splitlines()[0][:50]}"


ORDERS, TABLES, DESK = (f"{folder}.flow" for folder in TEXTS)
IDENTITY, DIRECTORY, SETTINGS = "verify_identity.flow", "directory.flow", "flowc.toml"

MISTAKES = {
    "order_support": (
        Mistake(ORDERS, "on track_order -> track", "on track_order -> «trak»", "FLW201"),
        Mistake(ORDERS, "state ask_number -> track", "state ask_number -> «tarck»", "FLW201"),
        Mistake(ORDERS, "resume up to 2 -> human", "resume up to 2 -> «humn»", "FLW201"),
        Mistake(ORDERS, "on cancel_order -> cancel", "on «cancel_ordr» -> cancel", "FLW202"),
        Mistake(ORDERS, "on agent -> human", "on «agnet» -> human", "FLW202"),
        Mistake(ORDERS, "reject order_id", "reject «order_nr»", "FLW203"),
        Mistake(ORDERS, "clear order_id", "clear «ordr_id»", "FLW203"),
        Mistake(ORDERS, "eta | date", "«etaa» | date", "FLW203"),
        Mistake(ORDERS, "where is {order_id}", "where is {«number»}", "FLW203"),
        Mistake(ORDERS, "on too_late", "on «too_lat»", "FLW603"),
        Mistake(ORDERS, "on change order_id", "on change «ordre_id»", "FLW203"),
        Mistake(ORDERS, "orders.get(", "orders.«gte»(", "FLW204"),
        Mistake(ORDERS, "crm.customer(", "«crn».customer(", "FLW204"),
        Mistake(ORDERS, "slot order_id: OrderId", "slot order_id: «OrderID»", "FLW205"),
        Mistake(ORDERS, "reason: text) -> Order", "reason: text) -> «Ordr»", "FLW205"),
        Mistake(ORDERS, "name: pii text", "name: pii «txet»", "FLW205"),
        Mistake(ORDERS, 'handoff "orders"', 'handoff "orders"\n\nstate «human»\n  handoff "people"', "FLW207"),
        Mistake(ORDERS, "agent from", "agent, «maybe» from", "FLW208"),
        Mistake(ORDERS, "slot order_id", 'intent «weather»\n  "how is the weather"\n\nslot order_id', "FLW210"),
        Mistake(ORDERS, "(id: order_id, reason", "(id: «12», reason", "FLW301"),
        Mistake(ORDERS, 'tier == "gold"', 'tier == «"golden"»', "FLW301"),
        Mistake(ORDERS, 'on "delivered"', 'on «"deliverd"»', "FLW307"),
        Mistake(ORDERS, "if order.eta is not none", "if «order.eta»", "FLW302"),
        Mistake(ORDERS, "create(customer: user.id", "create(«customr»: user.id", "FLW303"),
        Mistake(ORDERS, "default('there')", "«defalt»('there')", "FLW203"),
        Mistake(ORDERS, "if customer is not none and customer", "if «customer»", "FLW305"),
        Mistake(ORDERS, "set customer = none", "set customer = none\n      set «now» = none", "FLW310"),
        Mistake(ORDERS, "  end\n\nanywhere", "\nanywhere", "FLW403", "state «goodbye»"),
        Mistake(ORDERS, "within 2s", "within «500ms»", "FLW607"),
        Mistake(ORDERS, "    key auto\n    fails too", "    «retry 2 from 50ms to 1s»\n    fails too", "FLW605"),
        Mistake(ORDERS, "on silence 5m", "on silence «5»", "FLW109"),
        Mistake(ORDERS, "on no -> goodbye", "on no «goodbye»", "FLW104"),
        Mistake(ORDERS, 'say "It has been delivered."', 'say «"»It has been delivered.', "FLW107"),
        Mistake(ORDERS, "priority high\n  ask", "priority «hihg»\n  ask", "FLW104"),
        Mistake(ORDERS, 'POST "/tickets"', '«PSOT» "/tickets"', "FLW105"),
        Mistake(ORDERS, "timeout 500ms", "timeout 500ms\n  «timeout 600ms»", "FLW111"),
        Mistake(ORDERS, "  -> anything_else\n\nstate cancel",
                '  -> anything_else\n  «say» "More."\n\nstate cancel', "FLW402"),
        Mistake(ORDERS, '  say "Shall I', '  ask «order_id»\n  say "Shall I', "FLW207"),
        Mistake(ORDERS, 'GET "/customers/{id}"', 'GET «"https://crm.example/customers/{id}"»', "FLW609"),
        Mistake(ORDERS, "clear order_id", 'set order_id = «"12"»', "FLW312"),
        Mistake(ORDERS, "state human", "«# flowc: allow FLW401 because people are asked for»\nstate human", "FLW904"),
        Mistake(SETTINGS, 'locales = ["en"]', '«locals» = ["en"]', "FLW212"),
        Mistake(SETTINGS, "[environments.dev.services.crm]", "[«environments.dev.services.crn»]", "FLW212"),
    ),
    "table_booking": (
        Mistake(TABLES, "on book_table -> details", "on book_table -> «detials»", "FLW201"),
        Mistake(TABLES, "on what_weather", "on «what_wether»", "FLW202"),
        Mistake(TABLES, "day >= today", "day >= «tody»", "FLW203"),
        Mistake(TABLES, "ask guests, day, area", "ask guests, day, «aera»", "FLW203"),
        Mistake(TABLES, "choose table from found", "choose table from «fuond»", "FLW203"),
        Mistake(TABLES, "if taken.next", "if taken.«nxet»", "FLW203"),
        Mistake(TABLES, "DELETE \"/bookings/{code}", "DELETE \"/bookings/{«kode»}", "FLW203"),
        Mistake(TABLES, "clear guests, day, area, code", "clear guests, day, area, «coed»", "FLW203"),
        Mistake(TABLES, "on returned", "on «retuned»", "FLW203"),
        Mistake(TABLES, "on closed", "on «clsoed»", "FLW603"),
        Mistake(TABLES, "tables.weather(day: day)", "tables.«wether»(day: day)", "FLW204"),
        Mistake(TABLES, "table_ready(name: text)", "table_ready(name: «txt»)", "FLW205"),
        Mistake(TABLES, "guests: guests, area: area)", "guests: guests, area: «day»)", "FLW301"),
        Mistake(TABLES, 'area == "terrace"', 'area == «"terace"»', "FLW301"),
        Mistake(TABLES, '"terrace" also', '«"terasse"» also', "FLW301"),
        Mistake(TABLES, "bookings.get(code: code)", "bookings.«get»()", "FLW303"),
        Mistake(TABLES, "guests, day, area\n      -> details\n    on change_booking",
                "guests, day, area\n      -> details\n    on «book_table» -> human\n    on change_booking", "FLW307"),
        Mistake(TABLES, "  on table_ready\n    say \"Your table {{ table_ready.name }} is ready.\"\n    resume\n", "",
                "FLW501", "event «table_ready»"),
        Mistake(TABLES, '"will it rain"', '«"book a table"»', "FLW508"),
        Mistake(TABLES, "    on unavailable\n      say \"Nobody is free just now. Please call us on 030 901820.\"\n"
                "      -> goodbye\n", "", "FLW509", "«handoff» \"restaurant\""),
        Mistake(TABLES, "within 700ms", "within «200ms»", "FLW607"),
        Mistake(TABLES, 'mark "booked"', '«makr» "booked"', "FLW105"),
        Mistake(TABLES, "while busy merge", "while busy «marge»", "FLW104"),
        Mistake(TABLES, '"bar") -> list', '"bar" -> list', "FLW107", "read free«(»day"),
        Mistake(TABLES, "{{ booking.code }}", "«{{» booking.code ", "FLW108"),
        Mistake(TABLES, "resume up to 2 -> human", "«resume»", "FLW407"),
        Mistake(TABLES, "    on unknown\n      say \"I could not see whether it is cancelled, "
                "so a colleague will check it with you.\"\n"
                "      -> human\n", "", "FLW602", "«call cancelled = bookings.cancel(code: code)»"),
        Mistake(TABLES, "money?", "«mony»?", "FLW205"),
    ),
    "employee_helpdesk": (
        Mistake(DESK, "on thanks -> goodbye", "on thanks -> «godbye»", "FLW201"),
        Mistake(IDENTITY, "-> secret", "-> «secrt»", "FLW201"),
        Mistake(DESK, "identity.employee.id, from_day", "identity.«employe».id, from_day", "FLW203"),
        Mistake(DESK, "locked.until", "locked.«untill»", "FLW203"),
        Mistake(DESK, "on refused -> not_verified\n  -> pick", "on «refusd» -> not_verified\n  -> pick", "FLW203"),
        Mistake(DESK, "restart\n    clear days", "restart\n    clear «dayz»", "FLW203"),
        Mistake(IDENTITY, "len(pin)", "len(«pins»)", "FLW203"),
        Mistake(DIRECTORY, "-> boolean", "-> «bool»", "FLW205"),
        Mistake(IDENTITY, "gives employee: Employee", "gives employee: «Employe»", "FLW205"),
        Mistake(DESK, "verify_identity(reason: \"a new", "«verify_identty»(reason: \"a new", "FLW206"),
        Mistake(IDENTITY, '"std/basics.flow"', '«"std/basic.flow"»', "FLW208"),
        Mistake(DESK, 'reason: "leave"', "reason: «5»", "FLW301"),
        Mistake(DESK, "days > balance", 'days «>» "many"', "FLW301"),
        Mistake(DESK, "from_day > today", "«from_day»", "FLW302"),
        Mistake(DESK, "problem: problem)", "problem: problem, «urgent»: true)", "FLW303"),
        Mistake(DESK, "within 12h", "within «12»", "FLW109"),
        Mistake(DESK, "{% else %}", "«{% esle %}»", "FLW108"),
        Mistake(DESK, "priority urgent", "priority «urgnt»", "FLW104"),
        Mistake(DESK, "    on empty\n      say \"I see no device under your name.\"\n      -> human\n", "", "FLW601",
                "«choose device» from owned"),
        Mistake(DESK, "state not_verified",
                'state «lonely»\n  say "Where am I?"\n  end\n\nstate not_verified', "FLW401"),
        Mistake(DESK, "  ask \"What is wrong with it?\"\n", "", "FLW112", "slot «problem»"),
        Mistake(DESK, "on failed, unknown", "on failed «unknown»", "FLW104"),
        Mistake(DESK, "list of Device", "list «off» Device", "FLW104"),
        Mistake(DIRECTORY, "timeout 500ms", "timeout 500ms\n  «timeout 1s»", "FLW111"),
        Mistake(SETTINGS, 'zone = "Europe/Berlin"', '«zone» = "Europe/Berlim"', "FLW212"),
    ),
}  # fmt: skip
ALL = [(folder, mistake) for folder, mistakes in MISTAKES.items() for mistake in mistakes]


class Page:
    """A project with mistakes in it; each has a pair of marks around what its report points at."""

    def __init__(self, folder: str) -> None:
        self.texts = dict(TEXTS[folder])
        self.planted: list[Mistake] = []

    def plant(self, mistake: Mistake) -> bool:
        """Whether there is room: what is to be replaced is still as it was."""
        text = self.texts[mistake.path]
        pair = marks(len(self.planted))
        for good, bad in ((mistake.good, mistake.bad), (plain(mistake.elsewhere), mistake.elsewhere)):
            if text.count(good) != 1 and good:
                return False
            text = text.replace(good, bad.replace("«", pair[0]).replace("»", pair[1])) if good else text
        self.texts[mistake.path] = text
        self.planted.append(mistake)
        return True

    def project(self) -> Project:
        return Project.of_texts({path: without_marks(text) for path, text in self.texts.items()})

    def due(self) -> list[Report]:
        """The reports that the mistakes are."""
        return sorted(self.report(number, mistake) for number, mistake in enumerate(self.planted))

    def report(self, number: int, mistake: Mistake) -> Report:
        text = self.texts[mistake.path]
        start, end = (len(without_marks(text[: text.index(mark)])) for mark in marks(number))
        return mistake.path, start, end, mistake.code


def marks(number: int) -> tuple[str, str]:
    """A pair of characters for private use, of which no file has any."""
    return chr(0xE000 + 2 * number), chr(0xE001 + 2 * number)


def without_marks(text: str) -> str:
    return "".join(sign for sign in text if not "\ue000" <= sign <= "\uf8ff")


def plain(text: str) -> str:
    return text.replace("«", "").replace("»", "")


def said(project: Project) -> tuple[list[Report], str]:
    """The reports of the compiler, and their words."""
    found = check_project(project).diagnostics
    reports = sorted((each.span.path, each.span.start, each.span.end, each.code.id) for each in found)
    return reports, "\n".join(f"{each.span}: {each.code.id} {each.message}" for each in found)


def test_the_projects_have_no_mistakes() -> None:
    for folder in TEXTS:
        assert said(Page(folder).project()) == ([], "")


@pytest.mark.parametrize(("folder", "mistake"), ALL, ids=str)
def test_one_mistake_is_one_report(folder: str, mistake: Mistake) -> None:
    page = Page(folder)
    assert page.plant(mistake)
    reports, words = said(page.project())
    assert reports == page.due(), words


@pytest.mark.parametrize("seeds", [range(at, at + 20) for at in range(0, 200, 20)], ids=str)
def test_some_mistakes_together(seeds: range) -> None:
    for seed in seeds:
        page = some(seed)
        reports, words = said(page.project())
        assert reports == page.due(), f"seed {seed}: {[str(each) for each in page.planted]}\n{words}"


def some(seed: int) -> Page:
    """Two to nine mistakes in one project."""
    choose = random.Random(seed)
    folder = choose.choice(sorted(TEXTS))
    page, wanted = Page(folder), choose.randint(2, 9)
    for mistake in choose.sample(MISTAKES[folder], len(MISTAKES[folder])):
        if len(page.planted) < wanted:
            page.plant(mistake)
    return page


def test_a_target_that_is_like_its_own_state_is_no_loop() -> None:
    text = 'flow a 1.0.0\n\nstate start\n  say "Hello."\n  -> strat\n\nstate other\n  say "Bye."\n  -> start\n'
    reports, words = said(Project.of_texts({"a.flow": text}))
    assert [code for *_, code in reports if code in ("FLW201", "FLW405")] == ["FLW201"], words
