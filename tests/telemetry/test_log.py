"""One line a record, and no flood."""

import json
from io import StringIO

from flowc.runtime.telemetry.log import MOST_A_SECOND, log_to


def test_a_record_is_one_line_of_json() -> None:
    stream = StringIO()
    log_to(stream, json=True)("warning", "refused", {"reason": "too busy"})
    [line] = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["event"], told["reason"]) == ("warning", "refused", "too busy")


def test_of_a_flood_the_first_are_written_and_then_how_many_were_left_out() -> None:
    stream, now = StringIO(), [0.0]
    log = log_to(stream, json=True, now=lambda: now[0])
    for _ in range(MOST_A_SECOND + 5):
        log("info", "refused", {})
    log("info", "other", {})
    assert len(stream.getvalue().splitlines()) == MOST_A_SECOND + 1
    now[0] = 1.0
    log("info", "refused", {})
    left_out, record = map(json.loads, stream.getvalue().splitlines()[-2:])
    assert (left_out["of"], left_out["left_out"]) == ("refused", 5)
    assert record["event"] == "refused"


def test_what_is_below_the_least_severity_is_not_written() -> None:
    stream = StringIO()
    log_to(stream, json=True, least="warning")("info", "refused", {})
    assert stream.getvalue() == ""
