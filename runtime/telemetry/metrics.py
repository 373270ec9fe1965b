"""All that a server counts: every family, by name, with what it means. docs/operating.md lists the same names.

An engine has one `Metrics`. Who has something to count adds a family here and counts: `metrics.repairs.add("timer")`,
or on a hot path `self._taken = metrics.turns.at("message")` once and `self._taken.add(seconds)` each time. A number
that stands somewhere already is not counted again: `metrics.lane_waiting.read_from(lanes.depths)` asks at a scrape.
"""

from collections.abc import Iterator
from typing import Final

from flowc.runtime.telemetry.counting import Counter, Family, Gauge, Histogram

# A turn takes half a millisecond, a slow backend ten seconds.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG_SECONDS: Final = (0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0)
SHARES: Final = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The families of one engine, all empty."""

    def __init__(self) -> None:
        # What users feel
        self.turns = Histogram(
            "flowc_turn_duration_seconds",
            "From taking an event to its commit, by the kind of event.",
            SECONDS,
            ("kind",),
        )
        self.replies = Histogram(
            "flowc_reply_latency_seconds",
            "From the receipt of a message or event to the end of all turns that it causes.",
            SECONDS,
            ("class",),
        )
        self.queued = Histogram(
            "flowc_queue_wait_seconds",
            "From ready to begun, for turns and deferred commands.",
            LONG_SECONDS,
            ("class",),
        )
        self.intents = Histogram(
            "flowc_intent_confidence_ratio",
            "The confidence of the surest intent of each message, and what became of the message.",
            SHARES,
            ("intent", "provider", "outcome"),
        )
        # Backends
        self.attempts = Histogram(
            "flowc_call_attempt_duration_seconds",
            "Attempts that were sent, by how they ended.",
            SECONDS,
            ("service", "operation", "outcome"),
        )
        self.unsent = Counter(
            "flowc_call_unsent_total",
            "Calls that were not sent: no time, no place, over a limit, breaker open, paused.",
            ("service", "operation", "outcome"),
        )
        self.call_queued = Histogram(
            "flowc_call_queue_seconds", "Calls that waited for a limit or a place, and how long.", SECONDS, ("service",)
        )
        self.retries = Counter(
            "flowc_call_retries_total",
            "Attempts after the first, by how the one before ended.",
            ("service", "operation", "reason"),
        )
        self.in_doubt = Counter(
            "flowc_effects_in_doubt_total",
            "Writes that were reported as unknown: done or not, nobody knows.",
            ("service", "operation"),
        )
        self.late_results = Counter(
            "flowc_late_results_total", "Results of commands that were done already.", ("service", "operation")
        )
        self.breakers = Gauge(
            "flowc_breaker_state", "1 for the state in which a breaker is.", ("service", "operation", "state")
        )
        # Conversations
        self.entered = Counter("flowc_states_entered_total", "States entered.", ("flow", "state"))
        self.left = Counter("flowc_states_left_total", "States left, for another or by the end.", ("flow", "state"))
        self.fallbacks = Counter(
            "flowc_fallbacks_total", "Messages that nobody took, so that an `else` spoke.", ("flow", "state")
        )
        self.begun = Counter("flowc_conversations_begun_total", "Conversations begun.", ("version",))
        self.ended = Counter(
            "flowc_conversations_ended_total",
            "Conversations ended, by the state where, the outcome and the cause.",
            ("flow", "state", "outcome", "cause"),
        )
        self.live = Gauge("flowc_conversations_live", "Conversations that have not ended.", ("version",))
        self.oldest = Gauge(
            "flowc_conversation_oldest_wait_seconds", "How long the oldest live conversation stands.", ("version",)
        )
        self.commands = Gauge("flowc_commands_outstanding", "Commands without a result.", ("class",))
        # Queues and overload
        self.admissions = Counter(
            "flowc_admissions_total", "What admission decided about messages.", ("class", "decision")
        )
        self.inbox = Gauge("flowc_inbox_events", "Events in inboxes.", ("class",))
        self.inbox_oldest = Gauge("flowc_inbox_oldest_age_seconds", "Age of the oldest event in an inbox.", ("class",))
        self.lane_waiting = Gauge("flowc_lane_waiting", "Work that waits for a place to run.", ("lane",))
        # The engine
        self.refusals = Counter("flowc_refusals_total", "Messages and events that were refused.", ("reason",))
        self.faults = Counter("flowc_faults_total", "Turns that failed by a mistake of ours.", ("kind",))
        self.dead = Gauge("flowc_dead_events", "Events that failed three times and are set aside.")
        self.repairs = Counter(
            "flowc_sweeper_repairs_total", "What the sweeper found left by a server that stopped.", ("kind",)
        )
        self.removed = Counter("flowc_store_removed_total", "What was removed because it was old.", ("kind",))
        # The store
        self.commits = Counter("flowc_store_commits_total", "Transactions of the writer.")
        self.commit_seconds = Counter("flowc_store_commit_seconds_total", "Time spent in transactions.")
        self.sync_seconds = Counter("flowc_store_sync_seconds_total", "Time of it spent in COMMIT.")
        self.group_size = Histogram("flowc_store_group_size", "Jobs committed in one transaction.", SIZES)
        self.units = Counter(
            "flowc_store_units_total", "Turns given to the store, by what became of them.", ("outcome",)
        )
        self.reopened = Counter("flowc_store_reopened_total", "How often the file was opened again after an error.")
        self.info = Gauge("flowc_build_info", "One, with what runs.", ("bot", "version", "flowc"))

    def families(self) -> Iterator[Family]:
        yield from vars(self).values()
