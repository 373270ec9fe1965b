"""Operations on the store of an environment: by the server that has it, else by this process under the store's lock."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flowc.cli.environments import settings_of
from flowc.cli.terminal import FINDINGS, Stop

if TYPE_CHECKING:
    from flowc.compiler.project import Project
    from flowc.runtime.channels.announced import Announced
    from flowc.runtime.operations import Operation, Told

__all__ = ["me", "operate", "store_file"]

PATIENCE_S = 5.0  # a server that starts has the store before it can be asked
ANSWER_S = 60.0


def operate(project: "Project", env: str, operation: "Operation") -> "Told":
    """What the operation answers. Stops where it is refused, or nobody can perform it."""
    from flowc.runtime.errors import StoreLocked

    path = store_file(project, env)
    if not path.exists():
        raise Stop(f"there is no store at {path} yet", help="flowc serve makes it; --env names another environment")
    deadline = time.monotonic() + PATIENCE_S
    while True:
        told = asked(path, operation)
        if told is not None:
            return told
        try:
            return performed_here(path, operation)
        except StoreLocked as error:
            if time.monotonic() > deadline:
                raise Stop(
                    f"{error}", help="it is no server that could be asked: try again when it has ended"
                ) from error
        time.sleep(0.1)


def store_file(project: "Project", env: str) -> Path:
    """The file of the environment's store. FLOWC_STORE overrides it. Stops where it has none."""
    from flowc.runtime.engine.opening import file_of

    address = os.environ.get("FLOWC_STORE") or settings_of(project, env).store
    path = file_of(address, project.root or Path.cwd())
    if path is None:
        raise Stop(f"the store `{address}` lives in its server only", help='store = "sqlite:///PATH" can be operated')
    return path


def me() -> str:
    """Who gives the command, for the record."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def asked(path: Path, operation: "Operation") -> "Told | None":
    """The answer of the server that has the store; None where none answers, so that nobody knows whether it was done:
    an operation may be asked for again."""
    from flowc.runtime.channels.announced import announced

    server = announced(path)
    if server is None:
        return None
    answer = response(server, operation)
    if answer is None:
        return None
    status, body = answer
    if status == 200:
        return body
    if status in (401, 503):
        return None  # another server has the address by now, or this one stops
    raise Stop(str(body.get("detail", f"the server answered {status}")), code=FINDINGS)


def response(server: "Announced", operation: "Operation") -> "tuple[int, Told] | None":
    """Status and JSON of the server's answer."""
    import http.client

    import msgspec

    from flowc.runtime.operations import NAMES

    connection = http.client.HTTPConnection(server.host, server.port, timeout=ANSWER_S)
    headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}
    try:
        connection.request("POST", f"/admin/{NAMES[type(operation)]}", msgspec.json.encode(operation), headers)
        answer = connection.getresponse()
        return answer.status, msgspec.json.decode(answer.read(), type=dict[str, object])
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
    finally:
        connection.close()


def performed_here(path: Path, operation: "Operation") -> "Told":
    """The answer of this process. Raises StoreLocked where another one has the store."""
    import anyio

    from flowc.runtime.engine.errors import Refusal
    from flowc.runtime.operations import perform
    from flowc.runtime.store.sqlite import sqlite_store

    async def main() -> "Told":
        async with sqlite_store(path) as store:
            return await perform(operation, store, None)

    try:
        return anyio.run(main)
    except Refusal as refusal:
        raise Stop(str(refusal), code=FINDINGS) from refusal
