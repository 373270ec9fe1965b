"""The `http` adapter: one attempt is one request on a pooled connection.

Redirects are not followed, cookies are not kept (they would pass from one user to the next), compressed answers are
not asked for (a small one can unpack to gigabytes), and an answer is read up to 4 MiB. The address and the credentials
come from the configuration, so nothing that a user or a flow says can send a request elsewhere.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from flowc.runtime.policy.verdict import Lost, Misshaped, NotSent, RawAnswer, Rejected
from flowc.runtime.program import Service
from flowc.runtime.services.answers import Reading
from flowc.runtime.services.port import AttemptRequest, Wire
from flowc.runtime.services.requests import Outgoing, Unsendable, plan
from flowc.runtime.services.settings import ServiceSettings
from flowc.runtime.values import Shapes

LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
# Shorter than the 5 s after which many servers close: a request on a connection that closes just now is in doubt.
KEEP_ALIVE_S = 4.0


class TooLarge(Exception):  # noqa: N818 - it becomes a raw answer
    """An answer of more than `LARGEST_ANSWER_BYTES`."""


class HttpAdapter:
    """A service of HTTP resources with JSON answers."""

    def __init__(self, service: Service, settings: ServiceSettings, shapes: Shapes) -> None:
        self._places = service.policy.places
        self._client: httpx2.AsyncClient | None = None
        self._plans = {
            name: (
                plan(operation, settings, shapes),
                Reading(operation, shapes, settings.spelling, operation.http.answer if operation.http else ()),
            )
            for name, operation in service.operations.items()
        }

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with pooled_client(self._places) as self._client:
            yield
        self._client = None

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        requests, reading = self._plans[request.operation.name]
        try:
            outgoing = requests.fill(request.arguments, request.key)
        except Unsendable as error:
            return Rejected(str(error))
        request.wire.is_sent = False
        try:
            return await self._exchange(outgoing, reading, request)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            return request.wire.known or _broken_off(error, request.wire)

    async def _exchange(self, outgoing: Outgoing, reading: Reading, attempt: AttemptRequest) -> RawAnswer:
        wire = attempt.wire
        if self._client is None:
            raise RuntimeError("the adapter is not open")

        async def follow(event: str, _: object) -> None:
            if event.endswith("send_request_headers.started"):
                wire.is_sent = True

        request = self._client.build_request(
            outgoing.method,
            outgoing.url,
            headers=[*outgoing.headers, *attempt.headers.items()],
            content=outgoing.body,
            extensions={"trace": follow},
        )
        response = await self._client.send(request, stream=True)
        try:
            return await self._read(response, reading, wire)
        finally:
            await response.aclose()

    async def _read(self, response: httpx2.Response, reading: Reading, wire: Wire) -> RawAnswer:
        now = datetime.now(UTC)
        status = response.status_code
        if not reading.needs_body(status):
            # Known before its body, which is read only so that the connection can be used again.
            wire.known = reading.read(status, response.headers, b"", now)
        elif not 200 <= status < 300:
            wire.known = reading.of_status(status, response.headers, now)
        try:
            body = await bounded_body(response)
        except TooLarge:
            return wire.known or Misshaped(f"the answer is longer than {LARGEST_ANSWER_BYTES:,} bytes")
        if response.headers.get("content-encoding", "identity") != "identity":
            return wire.known or Misshaped("the answer is compressed, which was not asked for")
        return reading.read(status, response.headers, body, now)


def pooled_client(places: int) -> httpx2.AsyncClient:
    """A client that does what it is told, once: no redirects, no cookies, no timeouts of its own (the attempt's cancels
    whatever phase it is in)."""
    limits = httpx2.Limits(max_connections=places, max_keepalive_connections=places, keepalive_expiry=KEEP_ALIVE_S)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx2.AsyncClient(limits=limits, timeout=None, follow_redirects=False, cookies=no_cookies)


async def bounded_body(response: httpx2.Response) -> bytes:
    """The raw body. Raises TooLarge."""
    chunks = []
    left = LARGEST_ANSWER_BYTES
    async for chunk in response.aiter_raw():
        left -= len(chunk)
        if left < 0:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _broken_off(error: httpx2.TransportError | httpx2.InvalidURL, wire: Wire) -> RawAnswer:
    what = type(error).__name__
    return Lost(f"the connection broke off: {what}") if wire.is_sent else NotSent(f"no connection: {what}")
