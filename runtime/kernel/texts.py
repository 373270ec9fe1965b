"""Texts, compiled when a program is loaded.

A plain text (words and `{{ … }}`) is a closure that joins its parts. A text with `{% if %}` or `{% for %}` is a
Jinja template in its immutable sandbox: built from the parts that the compiler has parsed and typed, never from a
string, so nothing that a user or a backend says is ever read as a template. In both the expressions are the
language's own closures.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, assert_never

from flowc.runtime.kernel.evaluate import Env, Evaluate, evaluator
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.formats import filter_function
from flowc.runtime.kernel.functions import LONGEST_TEXT, text
from flowc.runtime.program import Expression, Filter, Show, Template, TemplatePart, TextBranch, TextFor, TextIf, Words
from flowc.runtime.values import Value

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

TextOf = Callable[[Env], str]
TextsOf = Callable[[Env], tuple[str, ...]]
MOST_LOOPS: Final = 10_000  # rounds of all `for` in one turn


def text_of(template: Template) -> TextOf:
    """The closure that says a text."""
    if any(isinstance(part, TextIf | TextFor) for part in template.parts):
        return _with_blocks(template.parts)
    return _joined(template.parts)


def texts_of(templates: Sequence[Template]) -> TextsOf:
    """The closure that says several. Those of buttons mostly say the same each time."""
    texts = [text_of(template) for template in templates]
    words = [template.parts[0] for template in templates if len(template.parts) == 1]
    constant = tuple([part.text for part in words if isinstance(part, Words)])
    if len(constant) == len(texts):
        return lambda env: constant
    return lambda env: tuple([text(env) for text in texts])


def expression_of(expression: Expression) -> Evaluate:
    """The closure of an expression, texts in it included."""
    return evaluator(expression, text_of)


def _joined(parts: Iterable[TemplatePart]) -> TextOf:
    loaded = [_plain(part) for part in parts]
    match loaded:
        case []:
            return lambda env: ""
        case [only]:
            return only
        case [before, shown]:
            return lambda env: _bounded(before(env) + shown(env))
        case [before, shown, after]:
            return lambda env: _bounded(f"{before(env)}{shown(env)}{after(env)}")
    return lambda env: _bounded("".join([part(env) for part in loaded]))


def _bounded(said: str) -> str:
    if len(said) > LONGEST_TEXT:
        raise Fault(f"a text is longer than {LONGEST_TEXT:,} characters")
    return said


def _plain(part: TemplatePart) -> TextOf:
    match part:
        case Words(text=words):
            return lambda env: words
        case Show(value=value, filters=filters):
            return _show(expression_of(value), filters)
        case TextIf() | TextFor():
            return _with_blocks((part,))
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


# ------------------------------------------------------------------------------------------------- texts with blocks


@cache
def _sandbox() -> "Environment":
    from jinja2 import StrictUndefined  # loaded for texts with blocks only
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)


def _with_blocks(parts: Iterable[TemplatePart]) -> TextOf:
    from jinja2 import Template as JinjaTemplate
    from jinja2 import nodes

    closures = _Closures()
    tree = nodes.Template(closures.body(parts), lineno=1)
    tree.set_environment(_sandbox())
    compiled = JinjaTemplate.from_code(_sandbox(), _sandbox().compile(tree), {})
    called = tuple(closures.called)
    return lambda env: _bounded(compiled.render(called=called, env=env))


class _Closures:
    """The Jinja nodes of some parts; their expressions are calls `called[N](env)` of closures."""

    def __init__(self) -> None:
        self.called: list[Callable[[Env], object]] = []

    def body(self, parts: Iterable[TemplatePart]) -> "list[nodes.Node]":
        return [self._part(part) for part in parts]

    def _part(self, part: TemplatePart) -> "nodes.Node":
        from jinja2 import nodes

        match part:
            case Words(text=words):
                return nodes.Output([nodes.TemplateData(words)])
            case Show():
                return nodes.Output([self._call(_plain(part))])
            case TextIf(branches=branches):
                return self._if(branches)
            case TextFor(variable=variable, items=items, parts=parts):
                rounds = self._call(_rounds(variable, expression_of(items)))
                return nodes.For(nodes.Name("_", "store"), rounds, self.body(parts), [], None, False)
            case _:
                assert_never(part)

    def _if(self, branches: Iterable[TextBranch]) -> "nodes.If":
        """One `if` inside the `else` of the one before."""
        from jinja2 import nodes

        first, *others = branches
        condition = nodes.Const(True) if first.condition is None else self._call(expression_of(first.condition))
        otherwise: list[nodes.Node] = [self._if(others)] if others else []
        return nodes.If(condition, self.body(first.parts), [], otherwise)

    def _call(self, closure: Callable[[Env], object]) -> "nodes.Call":
        from jinja2 import nodes

        self.called.append(closure)
        one = nodes.Getitem(nodes.Name("called", "load"), nodes.Const(len(self.called) - 1), "load")
        return nodes.Call(one, [nodes.Name("env", "load")], [], None, None)


def _rounds(variable: str, items: Evaluate) -> Callable[[Env], Iterator[Value]]:
    """The items of a list; while one is out, `variable` is it."""

    def rounds(env: Env) -> Iterator[Value]:
        around = env.locals
        listed = items(env)
        try:
            for item in listed if isinstance(listed, tuple) else ():
                env.loops += 1
                if env.loops > MOST_LOOPS:
                    raise Fault(f"texts go round more than {MOST_LOOPS:,} times in one turn")
                env.locals = {**around, variable: item}
                yield item
        finally:
            env.locals = around

    return rounds
