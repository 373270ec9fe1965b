"""Expressions and texts of a program as an author would write them: for listings and drawings."""

from typing import Final, assert_never

from flowc.runtime.durations import spelled_duration
from flowc.runtime.program import (
    Apply,
    Builtin,
    Constant,
    Each,
    Expression,
    Filter,
    Get,
    Local,
    MakeList,
    MakeRecord,
    Render,
    Show,
    Template,
    TemplatePart,
    TextFor,
    TextIf,
    Variable,
    Words,
)

__all__ = ["quoted", "spelled", "spelled_template"]

OPERATORS: Final = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "in": "in",
    "not_in": "not in",
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "and": "and",
    "or": "or",
}


def spelled(expression: Expression) -> str:
    """`expression` in the language of flows; operands that are operations stand in parentheses."""
    match expression:
        case Constant(kind, value):
            return _constant(kind, value)
        case Variable(name) | Local(name) | Builtin(name):
            return name
        case Get(target, field) | Each(target, field):
            return f"{_operand(target)}.{field}"
        case Apply("is_none", (operand,)):
            return f"{_operand(operand)} is none"
        case Apply("is_not_none", (operand,)):
            return f"{_operand(operand)} is not none"
        case Apply("not", (operand,)):
            return f"not {_operand(operand)}"
        case Apply("negate", (operand,)):
            return f"-{_operand(operand)}"
        case Apply(function, (left, right)) if function in OPERATORS:
            return f"{_operand(left)} {OPERATORS[function]} {_operand(right)}"
        case Apply(function, arguments):
            return f"{function}({', '.join(map(spelled, arguments))})"
        case MakeList(items):
            return f"[{', '.join(map(spelled, items))}]"
        case MakeRecord(fields):
            return "{" + ", ".join(f"{field.name}: {spelled(field.value)}" for field in fields) + "}"
        case Render(template):
            return spelled_template(template)
        case _:
            assert_never(expression)


def _operand(expression: Expression) -> str:
    infix = ("is_none", "is_not_none", "not", "negate", *OPERATORS)
    if isinstance(expression, Apply) and expression.function in infix:
        return f"({spelled(expression)})"
    return spelled(expression)


def _constant(kind: str, value: bool | int | str | None) -> str:
    match kind, value:
        case "none", _:
            return "none"
        case "boolean", _:
            return "true" if value else "false"
        case "duration", int(ms):
            return spelled_duration(ms)
        case "text", str(text):
            return quoted(text)
        case _:
            return str(value)


def quoted(text: str) -> str:
    """`text` between quotes, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def spelled_template(template: Template) -> str:
    """The text of a template, quoted, with its expressions."""
    return f'"{_parts(template.parts)}"'


def _parts(parts: tuple[TemplatePart, ...]) -> str:
    return "".join(_part(part) for part in parts)


def _part(part: TemplatePart) -> str:
    match part:
        case Words(text):
            return quoted(text)[1:-1].replace("{{", "\\{{")
        case Show(value, filters):
            return "{{ " + " | ".join((spelled(value), *map(_filter, filters))) + " }}"
        case TextIf(branches):
            words = ("if", *["elif"] * (len(branches) - 1))
            shown = [
                f"{{% else %}}{_parts(branch.parts)}"
                if branch.condition is None
                else f"{{% {word} {spelled(branch.condition)} %}}{_parts(branch.parts)}"
                for word, branch in zip(words, branches, strict=True)
            ]
            return "".join(shown) + "{% endif %}"
        case TextFor(variable, items, inner):
            return f"{{% for {variable} in {spelled(items)} %}}{_parts(inner)}{{% endfor %}}"
        case _:
            assert_never(part)


def _filter(each: Filter) -> str:
    return f"{each.name}({', '.join(map(spelled, each.arguments))})" if each.arguments else each.name
