"""A fault of ours as a finding, so that it hides nothing else that was found.

Which file and line were in hand is told by the frames that the exception came through: the innermost one that holds a
piece of a source has it.
"""

import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from flowc.dsl.diagnostic import Diagnostic, internal_error
from flowc.dsl.nodes import FlowFile, Node
from flowc.dsl.source import SourceFile, Span

__all__ = ["fault_found"]


def fault_found(fault: Exception, at: SourceFile, sources: Mapping[str, SourceFile]) -> Diagnostic:
    """FLW199: `fault`, where one of `sources` was in hand, else on the first line of `at`."""
    steps = tuple(traceback.walk_tb(fault.__traceback__))
    held = (span for frame, _ in reversed(steps) for span in _spans(frame) if span.path in sources)
    span = next(held, Span(at.path, 0, len(at.text)))
    frame, line = steps[-1]
    raised = f"raised at line {line} of `{Path(frame.f_code.co_filename).name}`, in `{frame.f_code.co_name}`"
    return internal_error(_first_line(span, sources.get(span.path, at)), f"{type(fault).__name__}: {fault}", (raised,))


def _spans(frame: FrameType) -> Iterator[Span]:
    """What a frame holds of a source, but for whole files; last bound first."""
    for value in reversed(frame.f_locals.values()):
        span = getattr(value, "span", None) if isinstance(value, Node) and not isinstance(value, FlowFile) else value
        if isinstance(span, Span):
            yield span


def _first_line(span: Span, source: SourceFile) -> Span:
    end = source.text.find("\n", span.start)
    return Span(span.path, span.start, span.end if end < 0 else min(span.end, end))
