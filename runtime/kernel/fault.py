"""The one exception inside the kernel: `advance` turns it into `Step.fault`."""


class Fault(Exception):  # noqa: N818  # the word of the design
    """A bound of ours was passed, or a program contradicts itself; the event is not taken."""
