"""What a person types or a pipe brings, line by line, without a thread that a Ctrl-C would have to wait for."""

import codecs
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from io import UnsupportedOperation

from flowc.cli.terminal import Stop

__all__ = ["typed_lines"]


async def typed_lines(prompt: str) -> AsyncIterator[str]:
    """The lines of standard input until its end. On a terminal with editing and history, where prompt-toolkit is
    installed (`pip install flowc[chat]`)."""
    lines = edited_lines(prompt) if sys.stdin.isatty() and prompt and has_editor() else plain_lines(prompt)
    async for line in lines:
        if line.strip():
            yield line.strip()


def has_editor() -> bool:
    from importlib.util import find_spec

    return find_spec("prompt_toolkit") is not None


async def edited_lines(prompt: str) -> AsyncIterator[str]:
    from prompt_toolkit import ANSI, PromptSession
    from prompt_toolkit.patch_stdout import patch_stdout

    session: PromptSession[str] = PromptSession()
    with patch_stdout(raw=True):  # replies that come while somebody types stand above the line
        while True:
            try:
                yield await session.prompt_async(ANSI(prompt))
            except EOFError:
                return


async def plain_lines(prompt: str) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest = ""
    show(prompt)
    try:
        async for chunk in chunks():
            *whole, rest = (rest + decoder.decode(chunk)).split("\n")
            for line in whole:
                yield line
                show(prompt)
        yield rest + decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise Stop("the input is not UTF-8") from error


async def chunks() -> AsyncIterator[bytes]:
    """Bytes of standard input as they come."""
    import anyio

    try:
        descriptor = sys.stdin.fileno()
    except (UnsupportedOperation, OSError):
        yield sys.stdin.read().encode()
        return
    while True:
        with suppress(PermissionError):  # a file on disk, which never makes anybody wait
            await anyio.wait_readable(descriptor)
        content = os.read(descriptor, 65_536)
        if not content:
            return
        yield content


def show(prompt: str) -> None:
    if prompt:
        print(prompt, end="", flush=True)
