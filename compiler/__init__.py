"""The meaning of a project of flows: from syntax trees to a runtime program. Pure: no clock, no async."""
