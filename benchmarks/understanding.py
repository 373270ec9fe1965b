"""Microseconds of understanding a message by rules: a bot of 20 intents with 10 examples each and a slot of every type.

Medians of many rounds in one process. A hostile message is 64 KiB of what a pattern could be slow on. Start-up is a
process of its own: what `import` costs, and what the first message that needs a library waits for.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from compile import machine

from flowc.compiler.compile import compile_project
from flowc.compiler.project import Project
from flowc.runtime.kernel.answer import Asking, Candidate
from flowc.runtime.program import Program
from flowc.runtime.understanding.port import Heard
from flowc.runtime.understanding.rules import Rules

HERE: Final = Path(__file__).parent
NOW: Final = datetime(2026, 11, 25, 12, tzinfo=UTC)
VERBS: Final = ("track", "cancel", "change", "return", "exchange", "repair", "rate", "find", "pay", "gift")
NOUNS: Final = ("order", "booking")
FORMS: Final = (
    *("{verb} my {noun}", "please {verb} my {noun}", "i want to {verb} a {noun}", "can you {verb} my {noun}"),
    *("{verb} {noun} now", "how do i {verb} my {noun}", "help me {verb} the {noun}", "{verb} it, that {noun}"),
    *("{verb} {noun} {{order_id}}", "{verb} the {noun} for {{guests}} on {{day}}"),
)
SLOTS: Final = {
    "order_id": "text matching /[A-Z]{2}[0-9]{6}/",
    "guests": "integer in 1..20",
    "day": "date",
    "at": "time",
    "begin": "datetime",
    "length": "duration",
    "price": "money",
    "mail": "email",
    "tel": "phone",
    "site": "url",
    "sure": "boolean",
    "size": '"small" | "large"',
    "name": "text",
}
MESSAGES: Final = (
    ("an example among 200, heard before", "Can you track my order?", None),
    ("an example with a place", "Track order AB123456", None),
    ("an example with two places", "cancel the booking for four on 24 December", None),
    ("a value in a sentence", "well, it should be the one with AB123456 on it", None),
    ("a date in a sentence", "well, let us say it is on 24 December then", None),
    ("three values in a sentence", "4 of us on 24 December, write to ann@mail.example", None),
    ("nothing understood, 10 words", "what about the thing that i bought from you yesteryear", None),
    ("nothing understood, 10 words and a number", "what about the 99 things that i bought from you", None),
    ("nothing understood, 100 words", "what about the thing that i bought from you yesteryear " * 10, None),
    ("an answer: a pattern", "AB123456", "order_id"),
    ("an answer: a number", "4", "guests"),
    ("an answer: a date", "24 December", "day"),
    ("an answer: yes", "yes please", "sure"),
    ("an answer: plain text", "Ann Lee", "name"),
)
HOSTILE: Final = (
    *("a", " ", "1", "1 ", "[", "()", "a@a.", "(030) ", "0-", "1/2/", "24.12. ", "2h ", "1,234", "http://", "'"),
    *("AB12345", "\u0316\u0301", "ü", "large "),
)
LOADS: Final = (
    ("import of the rules", "import flowc.runtime.understanding.rules", ""),
    ("the first phone number", "import flowc.runtime.understanding.rules", "import phonenumbers"),
    ("the first date for the library", "import flowc.runtime.understanding.rules", "import dateparser.date"),
)


def program() -> Program:
    intents = "".join(
        f"intent {verb}_{noun}\n" + "".join(f'  "{form.format(verb=verb, noun=noun)}"\n' for form in FORMS) + "\n"
        for verb in VERBS
        for noun in NOUNS
    )
    slots = "".join(f'slot {name}: {type}\n  ask "{name}?"\n\n' for name, type in SLOTS.items())
    arms = "".join(f"    on {verb}_{noun} -> begin\n" for verb in VERBS for noun in NOUNS)
    arms += "    on silence 1h -> over\n    else -> over\n"
    states = f'state begin\n  say "Yes?"\n  listen\n{arms}\nstate over\n  say "Bye."\n  end\n'
    text = f"flow bot 1.0.0\n\n{slots}{intents}{states}"
    outcome = compile_project(
        Project.of_texts({"flowc.toml": '[bot]\nname = "bot"\nmain = "bot.flow"\ncurrency = "EUR"\n', "bot.flow": text})
    )
    if outcome.program is None:
        raise SystemExit("\n".join(f"{each.code.id} {each.message}" for each in outcome.diagnostics))
    return outcome.program


def asking(of: Program, asked: str | None) -> Asking:
    flow = of.flows["bot"]
    candidates = tuple(Candidate("bot", intent, 0) for intent in flow.intents.values())
    slot = None if asked is None else flow.slots[asked]
    return Asking("bot", "begin", 0.5, candidates, tuple(flow.slots.values()), slot, (), "en", "Europe/Berlin")


def microseconds(work: Callable[[], object], rounds: int, times: int = 200) -> float:
    work()
    each = []
    for _ in range(rounds):
        begin = time.process_time()
        for _ in range(times):
            work()
        each.append((time.process_time() - begin) / times)
    return statistics.median(each) * 1e6


def load_ms(before: str, measured: str, runs: int = 5) -> float:
    """Milliseconds of the processor for `measured`, or for `before` where it is empty, in a fresh process."""
    first, second = (before, measured) if measured else ("pass", before)
    code = f"import time\n{first}\nbegin = time.process_time()\n{second}\nprint(time.process_time() - begin)"
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(runs)
    ]
    return statistics.median(map(float, outputs)) * 1e3


def tables(rounds: int) -> str:
    bot = program()
    begin = time.process_time()
    rules = Rules(bot)
    made_ms = (time.process_time() - begin) * 1e3
    lines = ["| message | intents | values | µs |", "|:--|--:|--:|--:|"]
    for title, text, asked in MESSAGES:
        heard, here = Heard(text, NOW), asking(bot, asked)
        understood = rules.hear(heard, here)
        took = microseconds(lambda heard=heard, here=here: rules.hear(heard, here), rounds)  # type: ignore[misc]
        lines.append(f"| {title} | {len(understood.intents)} | {len(understood.found)} | {took:.1f} |")
    worst, piece = max(
        (microseconds(lambda text=text: rules.hear(Heard(text, NOW), asking(bot, None)), 3, 1), piece)  # type: ignore[misc]
        for piece in HOSTILE
        for text in [piece * (65_536 // len(piece.encode()))]
    )
    hostile = f"The slowest of {len(HOSTILE)} hostile messages of 64 KiB, `{ascii(piece)[1:-1]}` again and again"
    lines += ["", f"{hostile}: {worst / 1e3:.1f} ms.", "", "| start-up | ms |", "|:--|--:|"]
    lines.append(f"| the rules of this bot | {made_ms:.0f} |")
    lines += [f"| {title} | {load_ms(before, measured):.0f} |" for title, before, measured in LOADS]
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description="The time that understanding takes.")
    options.add_argument("--rounds", type=int, default=15, metavar="N", help="rounds of each message")
    options.add_argument("--dry", action="store_true", help="write no results")
    chosen = options.parse_args()
    text = tables(chosen.rounds)
    print(text)
    if not chosen.dry:
        heading = f"# Understanding\n\n`python benchmarks/understanding.py`: {chosen.rounds} rounds\n\n{machine()}\n"
        (HERE / "results" / "understanding.md").write_text(f"{heading}\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
