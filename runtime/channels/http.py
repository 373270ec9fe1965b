"""The HTTP face: `/v1/conversations`, health, and the web chat at `/`.

A request becomes a message or event of the engine and the engine's turn becomes the answer; nothing is decided
here but who may ask and whether a request can be read. Errors are RFC 9457 problem documents. A client that goes
away cancels nothing: the engine's turns run in its own tasks.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from flowc.runtime import Engine
from flowc.runtime.channels.bodies import reply_json, turn_json, whereabouts_json
from flowc.runtime.channels.direct import Act as Direct
from flowc.runtime.channels.direct import App, Head, head_of
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
from flowc.runtime.engine.errors import Malformed, NotFound, Overloaded, Refusal, TooBusy, TooLong, Unavailable, nobody
from flowc.runtime.engine.message import Accepted, Message, Sent, Turn
from flowc.runtime.kernel.events import User
from flowc.runtime.operations import OPERATIONS
from flowc.runtime.program import Program
from flowc.runtime.telemetry.exposition import CONTENT_TYPE, exposed
from flowc.runtime.telemetry.tracing import Tracing
from flowc.runtime.values import Shapes

__all__ = ["http_app"]

MAX_BODY: Final = 64 * 1024
PING_S: Final = 15.0  # a silent stream is closed by proxies, and one whose client vanished has to be found out
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
    500: "a mistake of ours",
    503: "unavailable",
}

Act = Callable[[Request, Caller], Awaitable[Response]]
_encode = msgspec.json.Encoder().encode

OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncontent-type: application/json\r\n"


def http_app(engine: Engine, program: Program, tokens: Tokens, closing: asyncio.Event | None = None) -> App:
    """The ASGI application over a running engine of `program`. Once `closing` is set the streams end."""
    face = Face(engine, program, tokens, closing or asyncio.Event())
    conversation = "/v1/conversations/{id}"
    app = App(
        routes=[
            Route("/", page, methods=["GET"]),
            Route(f"{conversation}/messages", face.serving(face.message), methods=["POST"]),
            Route(f"{conversation}/open", face.serving(face.open), methods=["POST"]),
            Route(f"{conversation}/events", face.serving(face.event), methods=["POST"]),
            Route(f"{conversation}/handoff", face.serving(face.handoff, "operator"), methods=["POST"]),
            Route(f"{conversation}/stream", face.serving(face.stream), methods=["GET"]),
            Route(conversation, face.serving(face.where), methods=["GET"]),
            Route("/admin/{name}", face.operate, methods=["POST"]),
            Route("/healthz", healthy, methods=["GET"]),
            Route("/readyz", face.ready, methods=["GET"]),
            Route("/metrics", face.serving(face.metrics, "reader"), methods=["GET"]),
        ],
        middleware=[] if engine.tracing is None else [Middleware(Traced)],
        exception_handlers={404: no_route, 405: wrong_method, 500: mistake},
    )
    app.direct = face.direct if engine.tracing is None else traced(face.direct)
    return app


class Traced:
    """Requests go on with the traces that they name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with Tracing.continued(texts(scope["headers"])):
            await self._app(scope, receive, send)


def traced(act: Direct) -> Direct:
    """The same for the direct way of messages."""

    async def continued(conversation: str, headers: Mapping[bytes, bytes], body: bytes) -> tuple[Head, bytes]:
        with Tracing.continued(texts(headers.items())):
            return await act(conversation, headers, body)

    return continued


def texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


class Face:
    """The routes over one engine."""

    def __init__(self, engine: Engine, program: Program, tokens: Tokens, closing: asyncio.Event) -> None:
        self._engine = engine
        self._closing = closing
        self._tokens = tokens
        self._declared = program.user_fields
        self._shapes = Shapes(program.records, program.zone, program.currency)

    def serving(self, act: Act, role: Role = "channel") -> Callable[[Request], Awaitable[Response]]:
        """`act` for a caller with at least `role`, its refusals as problem documents."""

        async def respond(request: Request) -> Response:
            headers = request.headers
            caller = self.admitted(headers.get("authorization"), headers.get("sec-fetch-site"), role)
            if isinstance(caller, Response):
                return caller
            try:
                return await act(request, caller)
            except Refusal as refusal:
                self._engine.refused(refusal)
                return refused(refusal)
            except ClientDisconnect:
                return Response(status_code=400)
            except Exception as error:  # noqa: BLE001 - the edge: what is left is a mistake of ours
                self._engine.failed(error)
                return problem(500, "the server made a mistake; the same id may be sent again")

        return respond

    def admitted(self, authorization: str | None, site: str | None, role: Role) -> Caller | Response:
        """Who asks, or why not."""
        caller = self._tokens.caller(authorization)
        if caller is None:
            told = {"www-authenticate": "Bearer"}
            return problem(401, "send a token of this server: Authorization: Bearer …", told)
        if not self._tokens.known and site == "cross-site":
            return problem(403, "a page of another site may not talk to a server without tokens")
        if not caller.may(role):
            return problem(403, f"this needs a token with the role {role}")
        return caller

    async def message(self, request: Request, caller: Caller) -> Response:
        key = request.headers.get("idempotency-key")
        conversation = request.path_params["id"]
        return answered(await self.said(await content(request), conversation, caller, key), conversation)

    async def said(self, body: bytes, conversation: str, caller: Caller, key: str | None) -> Turn | Accepted:
        wanted = decoded(body, MessageBody)
        address = caller.address(valid_id(conversation))
        message = Message(
            address,
            wanted.text,
            valid_event_id(wanted.id or key),
            self.user(wanted, address),
            scope=f"http:{caller.name}",
            owner=caller.name,
        )
        return await self._engine.accept(message)

    async def direct(self, conversation: str, headers: Mapping[bytes, bytes], body: bytes) -> tuple[Head, bytes]:
        """The answer to a message on its direct way: the same as `message` gives."""
        try:
            caller = self.admitted(
                text_of(headers.get(b"authorization")), text_of(headers.get(b"sec-fetch-site")), "channel"
            )
            if isinstance(caller, Response):
                return whole(caller)
            turn = await self.said(body, conversation, caller, text_of(headers.get(b"idempotency-key")))
            if isinstance(turn, Turn):
                told = _encode(turn_json(turn, conversation))
                return OK % len(told), told
            return whole(answered(turn, conversation))
        except Refusal as refusal:
            self._engine.refused(refusal)
            return whole(refused(refusal))
        except Exception as error:  # noqa: BLE001 - the edge: what is left is a mistake of ours
            self._engine.failed(error)
            return whole(problem(500, "the server made a mistake; the same id may be sent again"))

    async def open(self, request: Request, caller: Caller) -> Response:
        body = decoded(await content(request), OpenBody)
        conversation = valid_id(request.path_params["id"])
        address = caller.address(conversation)
        turn = await self._engine.open_conversation(address, self.user(body, address), owner=caller.name)
        return answered(turn, conversation)

    def user(self, body: MessageBody | OpenBody, address: str) -> User | None:
        return user_of(body.user, body.locale, address, self._declared, self._shapes)

    async def event(self, request: Request, caller: Caller) -> Response:
        name, identifier, fields = event_of(await content(request))
        conversation = valid_id(request.path_params["id"])
        address, scope = caller.address(conversation), f"http:{caller.name}"
        turn = await self._engine.send_event(address, name, fields, identifier, scope=scope, owner=caller.name)
        return answered(turn, conversation)

    async def handoff(self, request: Request, caller: Caller) -> Response:
        body = decoded(await content(request), HandoffBody)
        conversation, address = self.looked_at(request, caller)
        return answered(await self._engine.answer_handoff(address, body.answer), conversation)

    async def where(self, request: Request, caller: Caller) -> Response:
        conversation, address = self.looked_at(request, caller)
        try:
            found = await self._engine.conversation(address)
        except NotFound as error:
            raise nobody() from error  # without the address, which is inside
        return answer(200, whereabouts_json(found, conversation))

    async def stream(self, request: Request, caller: Caller) -> Response:
        _, address = self.looked_at(request, caller)
        after = reply_id(request.headers.get("last-event-id") or request.query_params.get("after"))
        sent = server_sent(self._engine.replies(address, after=after), self._closing)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(sent, media_type="text/event-stream", headers=headers)

    def looked_at(self, request: Request, caller: Caller) -> tuple[str, str]:
        """Id and address of a conversation: the caller's, or with `?owner=` that of another token for who may read."""
        conversation = valid_id(request.path_params["id"])
        owner = request.query_params.get("owner", caller.name)
        if owner != caller.name and not caller.may("reader"):
            raise nobody()
        return conversation, Caller(owner, caller.role).address(conversation)

    async def operate(self, request: Request) -> Response:
        """What an operator asks for; only with a token of role admin, also where talking needs none."""
        operator = self._tokens.operator(request.headers.get("authorization"))
        if operator is None:
            return problem(401, "send a token of role admin: Authorization: Bearer …", {"www-authenticate": "Bearer"})
        if not operator.may("admin"):
            return problem(403, "this needs a token with the role admin")
        wanted = OPERATIONS.get(request.path_params["name"])
        if wanted is None:
            return problem(404, f"there is no operation {request.path_params['name']}")
        try:
            return answer(200, await self._engine.operate(decoded(await content(request), wanted)))
        except Refusal as refusal:
            self._engine.refused(refusal)
            return refused(refusal)
        except ClientDisconnect:
            return Response(status_code=400)

    async def metrics(self, request: Request, caller: Caller) -> Response:
        page = await exposed(await self._engine.counted())
        return Response(page, media_type=CONTENT_TYPE)

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


async def server_sent(replies: AsyncIterator[Sent], closing: asyncio.Event) -> AsyncIterator[bytes]:
    """Replies as server-sent events, one event a reply, until the client goes or the server closes. A comment comes
    first, so that a proxy passes the headers on, and again in every silence."""
    yield b": open\n\n"
    closed = asyncio.ensure_future(closing.wait())
    coming = asyncio.ensure_future(next_of(replies))
    try:
        while not closing.is_set():
            await asyncio.wait([coming, closed], timeout=PING_S, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                yield b": still here\n\n"
                continue
            sent = coming.result()
            if sent is None:
                return
            yield b"id: %s\nevent: reply\ndata: %s\n\n" % (sent.id.encode(), _encode(reply_json(sent)))
            coming = asyncio.ensure_future(next_of(replies))
    finally:
        for task in (closed, coming):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def next_of(replies: AsyncIterator[Sent]) -> Sent | None:
    """The next reply; None after the last."""
    return await anext(replies, None)


def answered(turn: Turn | Accepted, conversation: str) -> Response:
    """The answer to a message or event."""
    match turn:
        case Accepted(text=text, replies=said):
            replies = [reply_json(sent) for sent in said] if text is None else [{"text": text}]
            return answer(202, {"conversation": conversation, "replies": replies, "state": "working"})
        case Turn():
            return answer(200, turn_json(turn, conversation))


def answer(status: int, body: object) -> Response:
    return Response(_encode(body), status, media_type=JSON)


def whole(response: Response) -> tuple[Head, bytes]:
    """Head and body of a response that is there already."""
    return head_of(response.status_code, response.raw_headers), bytes(response.body)


def text_of(header: bytes | None) -> str | None:
    return None if header is None else header.decode("latin-1")


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": TITLES.get(status, "error"), "status": status, "detail": detail}
    return Response(_encode(body), status, headers=headers, media_type=PROBLEM)


def refused(refusal: Refusal) -> Response:
    """A refusal of the engine; those that pass say when to come back."""
    headers = None
    if isinstance(refusal, TooBusy | Unavailable | Overloaded):
        headers = {"retry-after": str(max(1, round(refusal.retry_after_s)))}
    return problem(refusal.status, str(refusal), headers)


async def healthy(request: Request) -> Response:
    return answer(200, {"alive": True})


async def no_route(request: Request, error: Exception) -> Response:
    return problem(404, f"there is nothing at {request.url.path}")


async def wrong_method(request: Request, error: Exception) -> Response:
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
    return problem(405, f"{request.url.path} does not take {request.method}", headers)


async def mistake(request: Request, error: Exception) -> Response:
    return problem(500, "the server made a mistake; the same id may be sent again")


_PAGE: Final = (files("flowc.runtime.channels") / "pages" / "chat.html").read_bytes()


def digest_of(tag: str) -> str:
    """What a policy allows the page's own script or style by."""
    found = re.search(rb"<%b>(.*?)</%b>" % (tag.encode(), tag.encode()), _PAGE, re.DOTALL)
    assert found is not None, f"the page has no {tag}"
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1]).digest()).decode()}'"


PAGE_HEADERS: Final = {
    "content-security-policy": f"default-src 'none'; style-src {digest_of('style')}; script-src {digest_of('script')}; "
    "connect-src 'self'; img-src https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


async def page(request: Request) -> Response:
    """The web chat."""
    return Response(_PAGE, media_type="text/html; charset=utf-8", headers=PAGE_HEADERS)
