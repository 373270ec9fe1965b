"""Families and series, and how Prometheus reads them."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from flowc.runtime.telemetry.counting import MOST_SERIES, OTHER, Counter, Histogram, Spread
from flowc.runtime.telemetry.exposition import page
from flowc.runtime.telemetry.metrics import SECONDS, Metrics


@given(st.lists(st.floats(min_value=0, max_value=100)))
def test_a_histogram_is_read_as_it_was_counted(values: list[float]) -> None:
    metrics = Metrics()
    for value in values:
        metrics.replies.add(value, "normal")
    families = {each.name: each for each in text_string_to_metric_families(page(metrics).decode())}
    read = {
        sample.labels["le"]: sample.value
        for sample in families["flowc_reply_latency_seconds"].samples
        if "le" in sample.labels
    }
    expected = {bound: sum(value <= bound for value in values) for bound in (*SECONDS, inf)}
    assert {float(bound): count for bound, count in read.items()} == (expected if values else {})


def test_labels_of_what_is_too_many_are_other() -> None:
    counter = Counter("flowc_x_total", "X.", ("name",))
    for number in range(MOST_SERIES + 5):
        counter.add(f"n{number}")
    values = dict(counter.values())
    assert len(values) == MOST_SERIES + 1
    assert values[OTHER,] == 5


def test_a_label_that_is_missing_is_a_mistake_of_the_code() -> None:
    with pytest.raises(ValueError, match="0 labels, the family has name"):
        Counter("flowc_x_total", "X.", ("name",)).add()
    with pytest.raises(ValueError, match="the family has none"):
        Histogram("flowc_x", "X.", SECONDS).add(1.0, "a")


def test_what_somebody_else_counts_is_asked_for() -> None:
    metrics = Metrics()
    spread = Spread(metrics.group_size.bounds)
    metrics.group_size.keep(spread)
    spread.add(3)
    counts = {"n": 1.0}
    metrics.commits.read_from(lambda: {(): counts["n"]})
    counts["n"] = 7.0
    written = page(metrics).decode()
    assert "flowc_store_commits_total 7.0" in written
    assert 'flowc_store_group_size_bucket{le="4.0"} 1.0' in written
