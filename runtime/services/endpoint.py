"""A JSON endpoint of our own infrastructure, such as a classifier: one address, one question, one answer.

Not a service of a flow: no operation, no policy, no retry. Whoever asks has its own time and its own way on when there
is no answer.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx2
import msgspec

from flowc.runtime.services.http import LARGEST_ANSWER_BYTES, TooLarge, bounded_body, pooled_client

__all__ = ["Endpoint", "NoAnswer"]


class NoAnswer(Exception):  # noqa: N818 - what it says
    """No connection, another status than 2xx, or no JSON."""


class Endpoint:
    """Posts JSON to `url` and gets JSON back. At most `places` questions at once."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, places: int = 16) -> None:
        self._url = url
        self._headers = {**(headers or {}), "accept": "application/json", "content-type": "application/json"}
        self._places = places
        self._client: httpx2.AsyncClient | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with pooled_client(self._places) as self._client:
            yield
        self._client = None

    async def ask(self, question: object) -> object:
        """The decoded answer. Raises NoAnswer; is cancelled when its time is up."""
        if self._client is None:
            raise NoAnswer("the endpoint is not open")
        request = self._client.build_request(
            "POST", self._url, headers=self._headers, content=msgspec.json.encode(question)
        )
        try:
            response = await self._client.send(request, stream=True)
            try:
                body = await bounded_body(response)
            finally:
                await response.aclose()
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise NoAnswer(f"no connection: {type(error).__name__}") from error
        except TooLarge as error:
            raise NoAnswer(f"the answer is longer than {LARGEST_ANSWER_BYTES:,} bytes") from error
        if not response.is_success:
            raise NoAnswer(f"status {response.status_code}")
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise NoAnswer("the answer is not JSON") from error
