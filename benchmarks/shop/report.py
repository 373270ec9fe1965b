"""The peak as a page and a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shop.arrivals import CLASSES
from shop.figures import (
    PATIENCE_S,
    Ran,
    average_s,
    failed_conversations,
    good_times,
    recovery_s,
    waits_at_the_peak,
    within,
)

from flowc.runtime.simulate.plot import Curve, Panel, Span, plot
from flowc.runtime.simulate.summary import percentile


def class_rows(ran: Ran) -> Iterator[str]:
    for name in CLASSES:
        mine = [each for each in within(ran, *ran.peak) if each.priority == name]
        waits = waits_at_the_peak(ran, name)
        counts = [sum(each.ending == ending for each in mine) for ending in ("fresh", "cached", "later")]
        bad = [sum(each.ending == ending for each in mine) for ending in ("failed", "refused")]
        shown = [f"{percentile(waits, percent) * 1000:,.0f}" for percent in (50, 95, 99)]
        yield f"| {ran.name} | {name} | {len(mine)} | " + " | ".join([*shown, *map(str, [*counts, *bad])]) + " |"


def summary_row(ran: Ran) -> str:
    failed, admitted, refused = failed_conversations(ran)
    back = recovery_s(ran)
    cells = [
        f"{average_s(ran) * 1000:,.0f}",
        f"{failed} of {admitted}",
        f"{refused}",
        f"{len(ran.enquiries)} of {ran.deferred}",
        "not" if back is None else f"{back:.0f} s",
        f"{ran.cpu_s / max(1, len(ran.answers)) * 1e6:,.0f}",
    ]
    return f"| {ran.name} | " + " | ".join(cells) + " |"


def p95_row(coupled: Ran, flowc: Ran, name: str) -> str:
    both = [percentile(waits_at_the_peak(ran, name), 95) for ran in (coupled, flowc)]
    share = f"1/{both[0] / max(both[1], 1e-9):.0f}"
    return f"- p95 of {name} at the peak: {both[1] * 1000:,.0f} ms, {share} of {both[0]:.1f} s"


@dataclass(frozen=True, slots=True)
class Results:
    """`noticing`: the coupled bot before backends that do not begin what nobody waits for. `foreseen`: the flow as it
    was simulated; None where all is. `sweep`: goodput by load."""

    coupled: Ran
    noticing: Ran | None
    flowc: Ran
    foreseen: Ran | None
    sweep: dict[str, dict[float, float]]
    capacity: float
    seed: int


def report(found: Results, machine: str) -> str:
    """The results as a page."""
    coupled, flowc = found.coupled, found.flowc
    phases = ", ".join(f"{phase.seconds:.0f} s at {phase.per_s:.0f}/s" for phase in coupled.phases)
    loads = sorted(found.sweep["flowc"])
    kept = {bot: found.sweep[bot][loads[-1]] / max(found.sweep[bot].values()) * 100 for bot in found.sweep}
    less = 100 * (1 - average_s(flowc) / average_s(coupled))
    runs = [ran for ran in (coupled, found.noticing, flowc) if ran is not None]
    good = f"- goodput at {loads[-1]:g} times the load: {kept['flowc']:.0f} % of its best; "
    return "\n".join(
        [
            "# A peak of three times the capacity",
            "",
            f"`python benchmarks/peak.py{'' if found.foreseen else ' --simulated'}`: each message needs one answer of",
            "the CRM and one of the inventory, each of",
            f"which can give {found.capacity:.0f} a second. The coupled bot asks one after the other, with an HTTP",
            "client as it comes (5 s, 100 connections). The flow asks both at once, answers from a cache when there is",
            "no place in time, puts off what is low or bulk, and keeps places for urgent and high. Messages come at",
            f"{phases}, Poisson, seed {found.seed}, whether or not the last was",
            "answered.",
            *surroundings(found),
            "",
            f"- average wait at the peak: {less:.0f} % lower",
            *[p95_row(coupled, flowc, name) for name in ("urgent", "high", "normal")],
            f"{good}the coupled one keeps {kept['coupled']:.0f} %",
            "",
            "At the peak, milliseconds until the first words. `cached`: read more than a second before, when there was",
            "no place for the call; `later`: promised, and told when it is done.",
            "",
            "| bot | class | messages | p50 | p95 | p99 | fresh | cached | later | failed | refused |",
            "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
            *(row for ran in runs for row in class_rows(ran)),
            "",
            "| bot | average ms | failed conversations | refused | put off, done | back to normal | CPU µs a message |",
            "|---|--:|--:|--:|--:|--:|--:|",
            *map(summary_row, runs),
            "",
            f"What was put off was done {flowc.drained_s:.0f} s after the last answer.",
            "",
            f"Goodput: true answers a second, in {PATIENCE_S:.0f} s or as promised, at a multiple of the capacity.",
            "",
            "| bot | " + " | ".join(f"{each:g}×" for each in loads) + " |",
            "|---|" + "--:|" * len(loads),
            *[
                f"| {bot} | " + " | ".join(f"{found.sweep[bot][each]:.0f}" for each in loads) + " |"
                for bot in found.sweep
            ],
            "",
            *foresight(found),
            f"![latency and goodput over time]({'peak.svg' if found.foreseen else 'peak_simulated.svg'})",
            "",
            machine,
            "",
        ]
    )


def surroundings(found: Results) -> tuple[str, ...]:
    """What the bots ran in."""
    if found.foreseen is None:
        return (
            "Both in simulated time: the backends are queues without a bound that do not notice that a caller has",
            "gone; a turn of the flow takes 0.3 ms of its server, the coupled bot's own work takes no time.",
            "What came from the cache is counted as fresh.",
        )
    return (
        "Real processes and HTTP on one machine; backends queue without a bound and do not notice that a caller has",
        "gone. Before `coupled, noticing` they do not begin what nobody waits for any more.",
        f"The load itself, on the same machine, was late by {found.coupled.late_s * 1000:.0f} ms and",
        f"{found.flowc.late_s * 1000:.0f} ms (p95), which is in every wait. Of {found.flowc.asked_whether_told}",
        f"promises that were looked at {found.flowc.told} were kept to the user.",
    )


def foresight(found: Results) -> tuple[str, ...]:
    """How far off the simulation was."""
    foreseen, flowc = found.foreseen, found.flowc
    if foreseen is None:
        return ()
    return (
        "## What `flowc simulate` foresaw",
        "",
        "The same arrivals and the same backends in simulated time, in milliseconds at the peak, and how far off:",
        "",
        "| class | p50 | measured | | p95 | measured | |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(foreseen_row(foreseen, flowc, name) for name in CLASSES),
        "",
        f"On average {average_s(foreseen) * 1000:,.0f} ms, measured {average_s(flowc) * 1000:,.0f} ms.",
        f"{len(foreseen.enquiries):,} jobs, measured {len(flowc.enquiries):,}; the last was done after",
        f"{max(foreseen.enquiries):,.0f} s, measured {max(flowc.enquiries):,.0f} s.",
        "",
    )


def foreseen_row(foreseen: Ran, flowc: Ran, name: str) -> str:
    cells = [name]
    for percent in (50, 95):
        was, is_now = (percentile(waits_at_the_peak(ran, name), percent) for ran in (foreseen, flowc))
        cells += [f"{was * 1000:,.0f}", f"{is_now * 1000:,.0f}", f"{(was / is_now - 1) * 100:+.0f} %" if is_now else ""]
    return "| " + " | ".join(cells) + " |"


def picture(coupled: Ran, flowc: Ran) -> str:
    """Latency by class and goodput over time, of both."""
    panels = [
        Panel(f"{ran.name}: p95 until the first words, in seconds", curves(ran), logarithmic=True)
        for ran in (coupled, flowc)
    ]
    good = [Curve(ran.name, rates(good_times(ran), ran.seconds)) for ran in (coupled, flowc)]
    came = Curve("messages", rates([each.at_s for each in flowc.answers], flowc.seconds))
    panels.append(Panel("true answers a second, in time or as promised", [*good, came]))
    return plot("A peak of three times the capacity", panels, [Span(*coupled.peak, "peak")])


def curves(ran: Ran) -> list[Curve]:
    step = 2
    found = []
    for name in CLASSES:
        points: list[tuple[float, float | None]] = []
        for at in range(0, int(ran.seconds), step):
            waits = [
                each.first_s
                for each in within(ran, at, at + step)
                if each.priority == name and each.ending != "refused"
            ]
            points.append((at + step / 2, percentile(waits, 95) if waits else None))
        found.append(Curve(name, points))
    return found


def rates(times: Sequence[float], seconds: float, step: int = 2) -> list[tuple[float, float | None]]:
    counts = [0] * (int(seconds) // step + 1)
    for at in times:
        if 0 <= at < len(counts) * step:
            counts[int(at) // step] += 1
    return [(number * step + step / 2, count / step) for number, count in enumerate(counts[:-1])]
