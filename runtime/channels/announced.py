"""How commands on this machine find the server that has a store, and prove that they may operate it.

Beside the store's file the server writes `FILE.server`: where it listens, and a token of role admin that it drew when
it started. Only the user who runs the server may read the file, so who can read it may operate; nobody types a token,
and the token is worth nothing once the server is gone. A file that a killed server left does no harm: nobody listens,
or whoever does refuses the token.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

__all__ = ["Announced", "announced", "announcing"]


class Announced(Struct, frozen=True):
    """Where the server of a store is. `host` is an address of this machine."""

    host: str
    port: int
    token: str
    pid: int


def place_of(store: Path) -> Path:
    return store.with_name(store.name + ".server")


@contextmanager
def announcing(store: Path, server: Announced) -> Iterator[None]:
    """Says where the server is, for as long as the block runs."""
    place = place_of(store)
    made = place.with_name(f"{place.name}.{server.pid}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(server))
    made.replace(place)
    try:
        yield
    finally:
        with suppress(OSError):
            place.unlink()


def announced(store: Path) -> Announced | None:
    """The server that was last announced for a store; it may be gone."""
    try:
        return msgspec.json.decode(place_of(store).read_bytes(), type=Announced)
    except (OSError, msgspec.DecodeError):
        return None
