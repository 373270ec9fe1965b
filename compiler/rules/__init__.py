"""Rules over the whole model and its graphs, one file for each family: what types cannot see.

A rule yields each mistake once, in any order; it is silent about what an earlier pass could not resolve.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from flowc.compiler.graph import FlowGraph
from flowc.compiler.model import Model
from flowc.compiler.rules.answers import answer_from_before
from flowc.compiler.rules.budget import over_budget
from flowc.compiler.rules.buttons import button_without_arm
from flowc.compiler.rules.fallbacks import (
    fallback_never_escalates,
    handoff_unhandled,
    missing_fallback,
    missing_silence,
)
from flowc.compiler.rules.loops import loop_without_user, unbounded_recursion
from flowc.compiler.rules.outcomes import (
    fallback_fails,
    impossible_outcome,
    outcome_not_handled,
    unknown_outcome_not_handled,
)
from flowc.compiler.rules.policies import unsafe_retry, within_too_short
from flowc.compiler.rules.privacy import values_in_motion
from flowc.compiler.rules.questions import (
    ambiguous_examples,
    asked_but_unused,
    hidden_handler,
    question_already_answered,
)
from flowc.compiler.rules.reachability import never_ends, no_way_out, unreachable_statements, unreachable_states
from flowc.compiler.rules.reads import reads_in_sequence
from flowc.compiler.rules.resumes import resume_outside_handler, resume_without_bound
from flowc.compiler.rules.secrets import secret_in_flow
from flowc.compiler.rules.silence import silent_turn
from flowc.dsl.diagnostic import Diagnostic

__all__ = ["RULES", "Rule"]

Rule = Callable[[Model, Mapping[str, FlowGraph]], Iterable[Diagnostic]]

RULES: Final[tuple[Rule, ...]] = (
    unreachable_states,
    unreachable_statements,
    no_way_out,
    never_ends,
    loop_without_user,
    unbounded_recursion,
    resume_without_bound,
    resume_outside_handler,
    hidden_handler,
    missing_fallback,
    fallback_never_escalates,
    missing_silence,
    silent_turn,
    button_without_arm,
    asked_but_unused,
    question_already_answered,
    ambiguous_examples,
    answer_from_before,
    handoff_unhandled,
    outcome_not_handled,
    unknown_outcome_not_handled,
    impossible_outcome,
    fallback_fails,
    unsafe_retry,
    over_budget,
    within_too_short,
    reads_in_sequence,
    secret_in_flow,
    values_in_motion,
)
