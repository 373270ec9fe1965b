"""Retry, breaker, limiter, bulkhead, budget and admission as pure state machines that take `now`."""
