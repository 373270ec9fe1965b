"""A program as one file: what `flowc build` writes and a server loads. The same program is the same bytes everywhere.

    FLOWC\\0     magic
    2 bytes     format, big-endian: how the content is to be read
    8 bytes     length of the content
    32 bytes    SHA-256 of format and content
    content     the program, msgpack

A change of the meaning of anything in `program.py` or `types.py` is a new FORMAT. A field that is only added, with a
default, is not.
"""

from hashlib import sha256
from struct import Struct as Layout
from typing import Final

import msgspec

from flowc.runtime.program import Program

__all__ = ["FORMAT", "OLDEST_READABLE", "BundleError", "digest", "from_bytes", "to_bytes"]

FORMAT: Final = 1
OLDEST_READABLE: Final = 1

_MAGIC: Final = b"FLOWC\0"
_HEAD: Final = Layout(">6sHQ32s")
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Program)


class BundleError(Exception):
    """A file that cannot be loaded. The message is one sentence that says why, and what to do."""


def to_bytes(program: Program) -> bytes:
    """The canonical bytes of a program."""
    content = _encoder.encode(program)
    return _HEAD.pack(_MAGIC, FORMAT, len(content), _seal(FORMAT, content)) + content


def digest(bundle: bytes) -> str:
    """The SHA-256 of a bundle in hexadecimal, as `sha256sum` shows it."""
    return sha256(bundle).hexdigest()


def from_bytes(bundle: bytes) -> Program:
    """The program of a bundle. Raises BundleError."""
    if not bundle.startswith(_MAGIC):
        raise BundleError("this is not a flowc bundle; build one with `flowc build`")
    if len(bundle) < _HEAD.size:
        raise BundleError("the bundle is cut off; copy or build it again")
    _, format, length, seal = _HEAD.unpack_from(bundle)
    if format > FORMAT:
        raise BundleError(
            f"the bundle has format {format}, and this flowc reads up to {FORMAT}; run it with a newer flowc"
        )
    if format < OLDEST_READABLE:
        raise BundleError(
            f"the bundle has format {format}, and this flowc reads from {OLDEST_READABLE}; build it again"
        )
    content = bundle[_HEAD.size :]
    if len(content) < length:
        raise BundleError("the bundle is cut off; copy or build it again")
    if len(content) > length or _seal(format, content) != seal:
        raise BundleError("the bundle was changed after it was built; copy or build it again")
    try:
        return _decoder.decode(content)
    except msgspec.MsgspecError as error:
        raise BundleError(f"the bundle does not hold a program ({error}); build it again") from error


def _seal(format: int, content: bytes) -> bytes:
    return sha256(format.to_bytes(2, "big") + content).digest()
