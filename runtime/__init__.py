"""Executes a program. Knows neither the language nor its compiler."""
