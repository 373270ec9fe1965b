"""What operators see of a server: its log, its metrics and its traces. The only package that imports libraries for
them, so that what may not be told is decided in one place."""

from flowc.runtime.telemetry.log import Fact, Log, Severity, log_to, silent

__all__ = ["Fact", "Log", "Severity", "log_to", "silent"]
