"""Texts as closures: the parts of a template were parsed and typed by the compiler, so nothing is left to interpret
in a turn."""

from collections.abc import Callable, Iterable
from typing import Final, assert_never

from flowc.runtime.kernel.evaluate import Env, Evaluate, evaluator
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.formats import filter_function
from flowc.runtime.kernel.functions import LONGEST_TEXT, text
from flowc.runtime.program import Expression, Filter, Show, Template, TemplatePart, TextBranch, TextFor, TextIf, Words

TextOf = Callable[[Env], str]
MOST_LOOPS: Final = 10_000  # rounds of all `for` in one turn


def text_of(template: Template) -> TextOf:
    """The closure that says a text."""
    return _joined(template.parts)


def expression_of(expression: Expression) -> Evaluate:
    """The closure of an expression, texts in it included."""
    return evaluator(expression, text_of)


def _joined(parts: Iterable[TemplatePart]) -> TextOf:
    loaded = [_part(part) for part in parts]
    match loaded:
        case []:
            return lambda env: ""
        case [only]:
            return only
    return lambda env: _bounded("".join([part(env) for part in loaded]))


def _bounded(said: str) -> str:
    if len(said) > LONGEST_TEXT:
        raise Fault(f"a text is longer than {LONGEST_TEXT:,} characters")
    return said


def _part(part: TemplatePart) -> TextOf:
    match part:
        case Words(text=words):
            return lambda env: words
        case Show(value=value, filters=filters):
            return _show(expression_of(value), filters)
        case TextIf(branches=branches):
            return _if(branches)
        case TextFor(variable=variable, items=items, parts=parts):
            return _for(variable, expression_of(items), _joined(parts))
        case _:
            assert_never(part)


def _show(value: Evaluate, filters: Iterable[Filter]) -> TextOf:
    shown = value
    for each in filters:
        shown = _filtered(shown, each)

    def show(env: Env) -> str:
        result = shown(env)
        return result if isinstance(result, str) else text(result, env.zone)

    return show


def _filtered(value: Evaluate, filter: Filter) -> Evaluate:
    apply = filter_function(filter.name)
    arguments = [expression_of(argument) for argument in filter.arguments]
    return lambda env: apply(env, value(env), tuple([argument(env) for argument in arguments]))


def _if(branches: Iterable[TextBranch]) -> TextOf:
    loaded = [
        (expression_of(branch.condition) if branch.condition is not None else _always, _joined(branch.parts))
        for branch in branches
    ]

    def choose(env: Env) -> str:
        for condition, words in loaded:
            if condition(env):
                return words(env)
        return ""

    return choose


def _always(env: Env) -> bool:
    return True


def _for(variable: str, items: Evaluate, body: TextOf) -> TextOf:
    def repeat(env: Env) -> str:
        around = env.locals
        listed = items(env)
        said = []
        for item in listed if isinstance(listed, tuple) else ():
            env.loops += 1
            if env.loops > MOST_LOOPS:
                raise Fault(f"texts go round more than {MOST_LOOPS:,} times in one turn")
            env.locals = {**around, variable: item}
            said.append(body(env))
        env.locals = around
        return _bounded("".join(said))

    return repeat
