"""Where conversations are kept: the port and its implementations."""
