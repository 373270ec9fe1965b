"""The language: text to syntax tree and back. Knows no program and no conversation."""
