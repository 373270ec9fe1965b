"""Secrets in rows: readable by this process only.

A `secret` lives for one turn, but a message in the inbox and a write on its way are rows. There it is sealed with a
key that is drawn when the process starts and is never written anywhere, so that after a crash nobody can read it, we
neither. BLAKE2b is the pseudo-random function: in counter mode it is the key stream, and over nonce and ciphertext
the authentication (encrypt, then authenticate).
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

NONCE_BYTES = 16
TAG_BYTES = 32
BLOCK_BYTES = 64


class SealBroken(Exception):  # noqa: N818 - named by the fact
    """Sealed by another process, or not whole."""


@dataclass(frozen=True, slots=True)
class Seal:
    """`key` is 32 random bytes of this process."""

    key: bytes
    draw: Callable[[int], bytes]

    def close(self, plain: bytes) -> bytes:
        nonce = self.draw(NONCE_BYTES)
        sealed = nonce + self._mixed(nonce, plain)
        return sealed + self._tag(sealed)

    def open(self, sealed: bytes) -> bytes:
        """What was closed. Raises SealBroken."""
        body, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
        if len(body) < NONCE_BYTES or not hmac.compare_digest(self._tag(body), tag):
            raise SealBroken
        return self._mixed(body[:NONCE_BYTES], body[NONCE_BYTES:])

    def _mixed(self, nonce: bytes, text: bytes) -> bytes:
        stream = b"".join(
            blake2b(nonce + block.to_bytes(8, "big"), key=self.key, person=b"stream").digest()
            for block in range(-(-len(text) // BLOCK_BYTES))
        )
        return bytes(a ^ b for a, b in zip(text, stream, strict=False))

    def _tag(self, body: bytes) -> bytes:
        return blake2b(body, digest_size=TAG_BYTES, key=self.key, person=b"tag").digest()
