"""The HTTP face: `/v1/conversations`, health, and the web chat at `/`.

A request becomes a message or event of the engine and the engine's turn becomes the answer; nothing is decided
here but who may ask and whether a request can be read. Errors are RFC 9457 problem documents. A client that goes
away cancels nothing: the engine's turns run in its own tasks.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from flowc.runtime import Engine
from flowc.runtime.channels.bodies import reply_json, turn_json, whereabouts_json
from flowc.runtime.channels.requests import (
    HandoffBody,
    MessageBody,
    OpenBody,
    decoded,
    event_of,
    user_of,
    valid_event_id,
    valid_id,
)
from flowc.runtime.channels.tokens import Caller, Role, Tokens
from flowc.runtime.engine.errors import Malformed, Refusal, TooBusy, TooLong, Unavailable
from flowc.runtime.engine.message import Accepted, Message, Sent, Turn
from flowc.runtime.kernel.events import User
from flowc.runtime.program import Program
from flowc.runtime.values import Shapes

__all__ = ["http_app"]

MAX_BODY: Final = 64 * 1024
REPLY_ID: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,12}\.[0-9]{1,6}")
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
TITLES: Final = {
    401: "not authorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    410: "erased",
    413: "too long",
    422: "not understood",
    429: "too busy",
    503: "unavailable",
}

Act = Callable[[Request, Caller], Awaitable[Response]]
_encode = msgspec.json.Encoder().encode


def http_app(engine: Engine, program: Program, tokens: Tokens) -> Starlette:
    """The ASGI application over a running engine of `program`."""
    face = Face(engine, program, tokens)
    conversation = "/v1/conversations/{id}"
    return Starlette(
        routes=[
            Route("/", page, methods=["GET"]),
            Route(f"{conversation}/messages", face.serving(face.message), methods=["POST"]),
            Route(f"{conversation}/open", face.serving(face.open), methods=["POST"]),
            Route(f"{conversation}/events", face.serving(face.event), methods=["POST"]),
            Route(f"{conversation}/handoff", face.serving(face.handoff, "operator"), methods=["POST"]),
            Route(f"{conversation}/stream", face.serving(face.stream), methods=["GET"]),
            Route(conversation, face.serving(face.where), methods=["GET"]),
            Route("/healthz", healthy, methods=["GET"]),
            Route("/readyz", face.ready, methods=["GET"]),
        ],
        exception_handlers={404: no_route, 405: wrong_method},
    )


class Face:
    """The routes over one engine."""

    def __init__(self, engine: Engine, program: Program, tokens: Tokens) -> None:
        self._engine = engine
        self._tokens = tokens
        self._declared = program.user_fields
        self._shapes = Shapes(program.records, program.zone, program.currency)

    def serving(self, act: Act, role: Role = "channel") -> Callable[[Request], Awaitable[Response]]:
        """`act` for a caller with at least `role`, its refusals as problem documents."""

        async def respond(request: Request) -> Response:
            caller = self._tokens.caller(request.headers.get("authorization"))
            if caller is None:
                return problem(401, "send a token of this server: Authorization: Bearer …")
            if not caller.may(role):
                return problem(403, f"this needs a token with the role {role}")
            try:
                return await act(request, caller)
            except Refusal as refusal:
                return refused(refusal)
            except ClientDisconnect:
                return Response(status_code=400)

        return respond

    async def message(self, request: Request, caller: Caller) -> Response:
        body = decoded(await content(request), MessageBody)
        conversation = valid_id(request.path_params["id"])
        message = Message(
            caller.address(conversation),
            body.text,
            valid_event_id(body.id or request.headers.get("idempotency-key")),
            self.user(body, conversation),
            scope=f"http:{caller.name}",
            owner=caller.name,
        )
        return answered(await self._engine.accept(message), conversation)

    async def open(self, request: Request, caller: Caller) -> Response:
        body = decoded(await content(request), OpenBody)
        conversation = valid_id(request.path_params["id"])
        user = self.user(body, conversation)
        turn = await self._engine.open_conversation(caller.address(conversation), user, owner=caller.name)
        return answered(turn, conversation)

    def user(self, body: MessageBody | OpenBody, conversation: str) -> User:
        return user_of(body.user, body.locale, conversation, self._declared, self._shapes)

    async def event(self, request: Request, caller: Caller) -> Response:
        name, identifier, fields = event_of(await content(request))
        conversation = valid_id(request.path_params["id"])
        address, scope = caller.address(conversation), f"http:{caller.name}"
        return answered(await self._engine.send_event(address, name, fields, identifier, scope=scope), conversation)

    async def handoff(self, request: Request, caller: Caller) -> Response:
        body = decoded(await content(request), HandoffBody)
        conversation = valid_id(request.path_params["id"])
        return answered(await self._engine.answer_handoff(caller.address(conversation), body.answer), conversation)

    async def where(self, request: Request, caller: Caller) -> Response:
        conversation = valid_id(request.path_params["id"])
        found = await self._engine.conversation(caller.address(conversation))
        return answer(200, whereabouts_json(found, conversation))

    async def stream(self, request: Request, caller: Caller) -> Response:
        conversation = valid_id(request.path_params["id"])
        after = reply_id(request.headers.get("last-event-id") or request.query_params.get("after"))
        replies = self._engine.replies(caller.address(conversation), after=after)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(server_sent(replies), media_type="text/event-stream", headers=headers)

    async def ready(self, request: Request) -> Response:
        reasons = await self._engine.not_ready()
        return answer(503 if reasons else 200, {"ready": not reasons, "reasons": list(reasons)})


async def content(request: Request) -> bytes:
    """The body. Raises TooLong before more than the bound is read."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise TooLong(f"the body has {declared} bytes, at most {MAX_BODY} are taken")
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > MAX_BODY:
            raise TooLong(f"the body has more than {MAX_BODY} bytes")
    return bytes(whole)


def reply_id(given: str | None) -> str | None:
    """The id of a reply, or None. Raises Malformed."""
    if given and REPLY_ID.fullmatch(given) is None:
        raise Malformed("Last-Event-ID is the id of a reply, such as 1.4.0")
    return given or None


async def server_sent(replies: AsyncIterator[Sent]) -> AsyncIterator[bytes]:
    """Replies as server-sent events, one event a reply; a comment first, so that a proxy passes the headers on."""
    yield b": open\n\n"
    async for sent in replies:
        yield b"id: %s\nevent: reply\ndata: %s\n\n" % (sent.id.encode(), _encode(reply_json(sent)))


def answered(turn: Turn | Accepted, conversation: str) -> Response:
    """The answer to a message or event."""
    match turn:
        case Accepted(text=text):
            waiting = [] if text is None else [{"text": text}]
            return answer(202, {"conversation": conversation, "replies": waiting, "state": "working"})
        case Turn():
            return answer(200, turn_json(turn, conversation))


def answer(status: int, body: object) -> Response:
    return Response(_encode(body), status, media_type=JSON)


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": TITLES.get(status, "error"), "status": status, "detail": detail}
    return Response(_encode(body), status, headers=headers, media_type=PROBLEM)


def refused(refusal: Refusal) -> Response:
    """A refusal of the engine; those that pass say when to come back."""
    headers = None
    if isinstance(refusal, TooBusy | Unavailable):
        headers = {"retry-after": str(max(1, round(refusal.retry_after_s)))}
    return problem(refusal.status, str(refusal), headers)


async def healthy(request: Request) -> Response:
    return answer(200, {"alive": True})


async def no_route(request: Request, error: Exception) -> Response:
    return problem(404, f"there is nothing at {request.url.path}")


async def wrong_method(request: Request, error: Exception) -> Response:
    return problem(405, f"{request.url.path} does not take {request.method}")


_PAGE: Final = (files("flowc.runtime.channels") / "pages" / "chat.html").read_bytes()
PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


async def page(request: Request) -> Response:
    """The web chat."""
    return Response(_PAGE, media_type="text/html; charset=utf-8", headers=PAGE_HEADERS)
