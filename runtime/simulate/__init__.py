"""Clock, disk, backends and channel under the control of a seed."""
