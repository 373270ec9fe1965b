"""Expressions, texts and types of the model as those of a program. Numbers the texts of a bot in the order it meets
them."""

from typing import Final, assert_never

from flowc.compiler.model import Model
from flowc.compiler.types import TEXT, FlowType, NoneType, Unknown, mark_of, optional, plain
from flowc.compiler.walk import subexpressions
from flowc.dsl import nodes
from flowc.runtime import program
from flowc.runtime.types import ListOf, Type

__all__ = ["Values", "stored_type"]

FUNCTIONS: Final = {
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "in": "in",
    "not in": "not_in",
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "and": "and",
    "or": "or",
}


def stored_type(of: FlowType) -> Type:
    """`of` as a program spells it: what is only ever `none` may be a text, `[]` of texts."""
    match of:
        case NoneType() | Unknown():
            found = optional(TEXT)
            assert not isinstance(found, NoneType | Unknown)
            return found
        case ListOf(Unknown()):
            return ListOf(TEXT)
        case _:
            return of


class Values:
    """Lowers expressions and texts of one bot; guards the number of the next text."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._texts = 0

    def template(self, text: nodes.Text) -> program.Template:
        """`text` with its number; masked where a marked value is shown in it."""
        number = self._texts
        self._texts += 1
        return program.Template(number, self._parts(text.parts), masked=self._shows_marked(text.parts))

    def optional_template(self, text: nodes.Text | None) -> program.Template | None:
        return None if text is None else self.template(text)

    def templates(self, texts: tuple[nodes.Text, ...]) -> tuple[program.Template, ...]:
        return tuple(self.template(text) for text in texts)

    def arguments(self, arguments: tuple[nodes.Argument, ...]) -> tuple[program.Argument, ...]:
        return tuple(program.Argument(each.name.text, self.expression(each.value)) for each in arguments)

    def optional_expression(self, expression: nodes.Expression | None) -> program.Expression | None:
        return None if expression is None else self.expression(expression)

    def expression(self, expression: nodes.Expression) -> program.Expression:
        """What evaluates `expression` at run time."""
        match expression:
            case nodes.Reference():
                return self._reference(expression)
            case nodes.FieldAccess(target, name):
                of_list = isinstance(plain(self._type(target)), ListOf)
                return (program.Each if of_list else program.Get)(self.expression(target), name.text)
            case nodes.FunctionCall(function, arguments):
                return program.Apply(function.text, tuple(self.expression(each) for each in arguments))
            case nodes.Unary(operator, operand):
                return program.Apply("not" if operator == "not" else "negate", (self.expression(operand),))
            case nodes.Binary(operator, left, right):
                return program.Apply(FUNCTIONS[operator], (self.expression(left), self.expression(right)))
            case nodes.IsNone(operand, negated):
                return program.Apply("is_not_none" if negated else "is_none", (self.expression(operand),))
            case nodes.ListLiteral(items):
                return program.MakeList(tuple(self.expression(item) for item in items))
            case nodes.RecordLiteral(fields):
                return program.MakeRecord(self.arguments(fields))
            case nodes.Text() if expression.plain is None:
                return program.Render(self.template(expression))
            case _:
                return constant(expression)

    def _reference(self, reference: nodes.Reference) -> program.Expression:
        name = reference.name
        match self._model.names[reference]:
            case "slot" | "variable" | "parameter":
                return program.Variable(name)
            case "local":
                return program.Local(name)
            case "builtin":
                return _builtin(name)
            case kind:
                assert_never(kind)

    def _type(self, expression: nodes.Expression) -> FlowType:
        return self._model.types[expression]

    def _parts(self, parts: tuple[nodes.TextPart, ...]) -> tuple[program.TemplatePart, ...]:
        return tuple(self._part(part) for part in parts)

    def _part(self, part: nodes.TextPart) -> program.TemplatePart:
        match part:
            case nodes.Chunk(text):
                return program.Words(text)
            case nodes.Interpolation(value, filters):
                return program.Show(self.expression(value), tuple(self._filter(each) for each in filters))
            case nodes.TextIf(branches):
                return program.TextIf(
                    tuple(
                        program.TextBranch(self.optional_expression(branch.condition), self._parts(branch.parts))
                        for branch in branches
                    )
                )
            case nodes.TextFor(variable, items, inner):
                return program.TextFor(variable.text, self.expression(items), self._parts(inner))
            case _:
                assert_never(part)

    def _filter(self, each: nodes.Filter) -> program.Filter:
        return program.Filter(each.name.text, tuple(self.expression(argument) for argument in each.arguments))

    def _shows_marked(self, parts: tuple[nodes.TextPart, ...]) -> bool:
        for part in parts:
            match part:
                case nodes.Chunk():
                    shown = False
                case nodes.Interpolation(value, filters):
                    arguments = (argument for each in filters for argument in each.arguments)
                    shown = any(self._marked(each) for each in (value, *arguments))
                case nodes.TextIf(branches):
                    shown = any(self._shows_marked(branch.parts) for branch in branches)
                case nodes.TextFor(parts=inner):
                    shown = self._shows_marked(inner)
                case _:
                    assert_never(part)
            if shown:
                return True
        return False

    def _marked(self, expression: nodes.Expression) -> bool:
        types = (self._model.types.get(each) for each in subexpressions(expression))
        return any(of is not None and mark_of(of) is not None for of in types)


def _builtin(name: str) -> program.Builtin:
    match name:
        case "user" | "message" | "conversation" | "now" | "today":
            return program.Builtin(name)
        case _:
            raise AssertionError(f"`{name}` is not built in")


def constant(expression: nodes.Expression) -> program.Constant:
    """`expression`, a literal, as a constant."""
    match expression:
        case nodes.Text():
            return program.Constant("text", expression.plain or "")
        case nodes.IntegerLiteral(value):
            return program.Constant("integer", value)
        case nodes.NumberLiteral(number):
            return program.Constant("number", str(number))
        case nodes.BooleanLiteral(truth):
            return program.Constant("boolean", truth)
        case nodes.NoneLiteral():
            return program.Constant("none", None)
        case nodes.DurationLiteral(ms):
            return program.Constant("duration", ms)
        case nodes.DateLiteral(day):
            return program.Constant("date", day.isoformat())
        case nodes.TimeLiteral(moment):
            return program.Constant("time", moment.isoformat())
        case _:
            raise AssertionError(f"{type(expression).__name__} is no literal of a flow")
