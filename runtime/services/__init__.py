"""Calls to the outside: the port and its implementations."""
