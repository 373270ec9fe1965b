"""`flowc explain`: the page of a code, or the effective policy of a service."""

from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.options import Color, ColorOption, ProjectOption
from flowc.cli.projects import project_here
from flowc.cli.terminal import BOLD, CYAN, DIM, Stop, Terminal
from flowc.runtime.durations import spelled_duration as duration

if TYPE_CHECKING:
    from flowc.runtime.program import Operation, OwnPolicy, Service, ServicePolicy

__all__ = ["explain"]


def explain(
    subject: Annotated[list[str], typer.Argument(help="A code such as FLW201, or: service NAME.")],
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
) -> None:
    """Explain a finding, or what calling a service may cost.

    Example: flowc explain FLW606

    Example: flowc explain service orders
    """
    terminal = Terminal(color)
    match subject:
        case ["service", name]:
            from flowc.cli.programs import compiled

            services = compiled(project_here(project)).services
            if name not in services:
                raise Stop(
                    f"no flow of the bot uses a service `{name}`", help=f"it uses: {', '.join(sorted(services))}"
                )
            terminal.write(policy_page(services[name]))
        case ["service"]:
            raise Stop("which service?", help="flowc explain service NAME")
        case [code]:
            terminal.write(styled(code_page(code), terminal))
        case _:
            raise Stop("one code, or `service NAME`", help="flowc explain FLW201")


def code_page(wanted: str) -> str:
    """The text of the page of a code. Accepts any case, and the number or the name alone."""
    from importlib.resources import files

    pages = {
        page.name.removesuffix(".md"): page for page in files("flowc.pages").iterdir() if page.name.startswith("FLW")
    }
    key = wanted.upper() if wanted.upper().startswith("FLW") else f"FLW{wanted}"
    if key in pages:
        return pages[key].read_text(encoding="utf-8").strip()
    texts = [page.read_text(encoding="utf-8").strip() for page in pages.values()]
    named = {text.split(maxsplit=3)[2]: text for text in texts}  # `# FLW201 unknown-state`
    if wanted.lower() in named:
        return named[wanted.lower()]
    raise Stop(f"no finding has the code `{wanted}`", help=near(wanted, [*pages, *named]))


def near(wanted: str, known: list[str]) -> str:
    """A suggestion, or where all codes are listed."""
    from flowc.dsl.mistakes import nearest

    found = nearest(wanted.upper(), known) or nearest(wanted.lower(), known)
    return f"did you mean `{found}`?" if found else "docs/diagnostics lists all codes"


def styled(page: str, terminal: Terminal) -> str:
    """Markdown with its headings and code set apart on a terminal."""
    lines, in_code = [], False
    for line in page.splitlines():
        if line.startswith("```"):
            in_code = not in_code
            lines.append(terminal.style(line, DIM))
        elif in_code:
            lines.append(terminal.style(line, CYAN))
        else:
            lines.append(terminal.style(line, BOLD) if line.startswith("#") else line)
    return "\n".join(lines)


def policy_page(service: "Service") -> str:
    """Every number of a service and its operations, with the worst case of each."""
    policy = service.policy
    lines = [f"service {service.name} via {service.adapter}", *limit_lines(policy, "  ")]
    for operation in service.operations.values():
        lines += ["", *operation_lines(operation)]
    return "\n".join(lines)


def limit_lines(policy: "ServicePolicy | OwnPolicy", indent: str) -> list[str]:
    """Breaker, places and limits, where the policy has them."""
    lines = []
    if breaker := policy.breaker:
        lines.append(f"{indent}breaker     {breaker.percent}% of {breaker.calls} for {duration(breaker.open_ms)}")
    if policy.places is not None:
        lines.append(f"{indent}at most     {policy.places} at once ({policy.places // 5} kept for urgent and high)")
    if policy.limit:
        lines.append(f"{indent}limit       {policy.limit.count} every {policy.limit.per_s} s")
    if policy.limit_per_user:
        lines.append(f"{indent}per user    {policy.limit_per_user.count} every {policy.limit_per_user.per_s} s")
    return lines


def operation_lines(operation: "Operation") -> list[str]:
    """The policy of one operation."""
    policy, retry = operation.policy, operation.policy.retry
    again = "none"
    if retry.attempts:
        again = f"{retry.attempts} more, waits up to {duration(retry.base_ms)} doubling to {duration(retry.cap_ms)}"
    lines = [
        f"  {operation.kind} {operation.name}",
        f"    timeout     {duration(policy.timeout_ms)} an attempt",
        f"    retry       {again}",
        f"    within      {duration(policy.within_ms)}: the longest that a user waits for it",
        f"    outcomes    ok, {', '.join(operation.outcomes)}",
    ]
    if operation.own:
        lines += limit_lines(operation.own, "    ")
    if policy.cache_ms:
        lines.append(f"    cache       answers up to {duration(policy.cache_ms)} old are served when it fails")
    if operation.key:
        lines.append(f"    key         {operation.key.carrier}, remembered for {duration(operation.key.remembered_ms)}")
    return lines
