"""What is said about conditions, assignments and results of a flow. Wording only."""

from typing import Final

from flowc.compiler.type_mistakes import TYPE_MISMATCH
from flowc.compiler.types import FlowType, spelled
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.mistakes import MISSING_PROPERTY
from flowc.dsl.nodes import Choose, Expression, Name
from flowc.dsl.source import Span

CONSTANT_CONDITION: Final = Code("FLW308", "constant-condition", Severity.WARNING, fixed=False)
VALUE_REFUSED: Final = Code("FLW312", "value-refused", Severity.ERROR)


def constant_condition(span: Span, *, value: bool) -> Diagnostic:
    always = "true" if value else "false"
    return Diagnostic(
        CONSTANT_CONDITION,
        f"this condition is always {always}",
        (Label(span, f"always {always}"),),
        help="remove the test" if value else "remove the branch",
    )


def value_refused(value: Expression, slot: str, wanted: FlowType) -> Diagnostic:
    return Diagnostic(
        VALUE_REFUSED,
        f"the slot `{slot}` cannot have this value",
        (Label(value.span, f"not `{spelled(wanted)}`"),),
        help="a slot is set only to what its type accepts from the user",
    )


def gives_nothing(target: Name) -> Diagnostic:
    return Diagnostic(
        TYPE_MISMATCH,
        f"there is no value for `{target.text}`",
        (Label(target.span, "the operation gives nothing"),),
        help=f"remove `{target.text} =`, or add `-> TYPE` to the operation",
    )


def wrong_result(target: Name, found: FlowType, wanted: FlowType) -> Diagnostic:
    return Diagnostic(
        TYPE_MISMATCH,
        f"expected `{spelled(wanted)}`, found `{spelled(found)}`",
        (Label(target.span, f"`{target.text}` is `{spelled(wanted)}`, and this gives `{spelled(found)}`"),),
    )


def missing_show(choose: Choose, item: FlowType) -> Diagnostic:
    return Diagnostic(
        MISSING_PROPERTY,
        f"a choice from a list of `{spelled(item)}` needs `show`",
        (Label(choose.name.span, "how is an item shown?"),),
        help=f'add `show "{{{{ {choose.name.text}.… }}}}"` as its first line',
    )
