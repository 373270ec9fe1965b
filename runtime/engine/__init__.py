"""Performs what the kernel decides: sessions, timers and the sweeper. Async and thin."""
