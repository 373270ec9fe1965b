"""The faces a user or a program talks to: HTTP, WebSocket and terminal."""
