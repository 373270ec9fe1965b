"""The types of what statements say, offer and hand over."""

from flowc.compiler.expressions import Expressions
from flowc.compiler.model import OperationModel
from flowc.compiler.resolved import Interface
from flowc.compiler.sight import At
from flowc.compiler.type_mistakes import mismatch
from flowc.compiler.types import TEXT, FlowType, Unknown, fits, plain
from flowc.compiler.value_mistakes import missing_show
from flowc.dsl.nodes import Call, Choose, Defer, Do, Say
from flowc.runtime.types import ListOf

__all__ = ["check_arguments", "check_choice", "check_do_arguments", "check_say"]


def check_say(say: Say, at: At, expressions: Expressions) -> None:
    """Texts, buttons, images and links of `say`."""
    for text in (*say.texts, *say.buttons, *say.images):
        expressions.say(text, at)
    for link in say.links:
        expressions.say(link.label, at)
        expressions.say(link.url, at)


def check_arguments(call: Call | Defer, operation: OperationModel | None, at: At, expressions: Expressions) -> None:
    """What a call hands to its operation."""
    if operation is None:
        for argument in call.arguments:
            expressions.type_of(argument.value, at)
        return
    wanted = {each.name: each.type for each in operation.parameters}
    what = f"`{operation.service}.{operation.name}`"
    expressions.arguments(call.arguments, wanted, frozenset(wanted), what, call.operation.span, at)


def check_do_arguments(do: Do, interface: Interface | None, at: At, expressions: Expressions) -> None:
    """What a `do` hands to its flow: what that takes, and any of its slots."""
    if interface is None:
        for argument in do.arguments:
            expressions.type_of(argument.value, at)
        return
    wanted = {**interface.parameters, **interface.slots}
    needed = frozenset(interface.parameters)
    expressions.arguments(do.arguments, wanted, needed, f"the flow `{do.flow.text}`", do.flow.span, at)


def check_choice(choose: Choose, items: FlowType, item: FlowType, at: At, expressions: Expressions) -> None:
    """The list of a `choose`, its question, and how an item is shown."""
    if not isinstance(items, ListOf | Unknown):
        expressions.tell(mismatch(choose.items, items, None, why="expected a list"))
    expressions.say(choose.question, at)
    if choose.show is not None:
        local = {**at.locals, choose.name.text: item}
        expressions.say(choose.show, At(expressions.facts.without(at.facts, choose.name.text), local))
    elif not fits(plain(item), TEXT):
        expressions.tell(missing_show(choose, item))
