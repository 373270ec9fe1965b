"""Who may use the HTTP face: tokens, kept as hashes and compared in constant time.

Conversations belong to the token that began them: the address of a conversation begins with the token's name, so
that two channels with the same ids never meet.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ANYONE", "Caller", "Role", "Token", "Tokens", "hashed"]

Role = Literal["channel", "reader", "operator", "admin"]
RANK: Final[dict[Role, int]] = {"channel": 0, "reader": 1, "operator": 2, "admin": 3}


@dataclass(frozen=True, slots=True)
class Token:
    """A token by its SHA-256, and what it may do."""

    name: str
    digest: bytes
    role: Role = "channel"


def hashed(token: str) -> bytes:
    """The digest under which a token is kept."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `name` is the token's, empty where the server asks for none."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether the caller has the rights of `role`."""
        return RANK[self.role] >= RANK[role]

    def address(self, conversation: str) -> str:
        """The address of a conversation of this caller."""
        return f"{self.name}/{conversation}" if self.name else conversation


ANYONE: Final = Caller("", "admin")  # a server without tokens listens on loopback only


@dataclass(frozen=True, slots=True)
class Tokens:
    """All tokens of a server; none means that everybody who reaches it may use it."""

    known: tuple[Token, ...] = ()
    local: bytes | None = None  # digest of the admin's token that this server drew for its own machine

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> "Tokens":
        return cls(tuple(tokens))

    def caller(self, authorization: str | None) -> Caller | None:
        """Who `Authorization: Bearer …` is, or None. Every token is compared, so that time tells nothing."""
        return _found(self.known, authorization) if self.known else ANYONE

    def operator(self, authorization: str | None) -> Caller | None:
        """Who operates the server by `Authorization: Bearer …`, or None. It takes a token, also where talking does
        not."""
        drawn = () if self.local is None else (Token("", self.local, "admin"),)
        return _found((*self.known, *drawn), authorization)


def _found(known: Sequence[Token], authorization: str | None) -> Caller | None:
    scheme, _, given = (authorization or "").partition(" ")
    digest = hashed(given.strip())
    found = None
    for token in known:
        if hmac.compare_digest(digest, token.digest) and scheme.lower() == "bearer":
            found = Caller(token.name, token.role)
    return found
