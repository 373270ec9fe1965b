"""The same shop as everybody writes it first: a handler that asks the CRM, then the inventory, then answers. The
session is in memory; an HTTP client as it comes (a timeout of 5 s, 100 connections); no priorities, and no plan for
when a backend is slow but to say that something went wrong.

    python benchmarks/shop/coupled.py --port 8080 --crm 8821 --inventory 8822
"""

import argparse
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ARTICLE = re.compile(r"A[0-9]{4}")
WORDS = {
    "broken": "I am sorry, {name}. A new {id} is on its way, {left} are left ({read}).",
    "buy": "Thank you, {name}. {id} is yours, {left} are left ({read}).",
    "stock": "Of course, {name}. {left} of {id} are left ({read}).",
    "like": "This is like it: {id}, {left} are left ({read}).",
    "everything": "Everything about {id}: {left} are left ({read}).",
}

sessions: dict[str, list[str]] = {}


def shop(crm: str, inventory: str) -> Starlette:
    """The bot's HTTP face."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient() as client:
            app.state.client = client
            yield

    async def message(request: Request) -> JSONResponse:
        body: dict[str, Any] = await request.json()
        said = sessions.setdefault(request.path_params["id"], [])
        said.append(body["text"])
        client: httpx.AsyncClient = request.app.state.client
        article = ARTICLE.search(body["text"])
        wanted = next((words for word, words in WORDS.items() if word in body["text"]), None)
        if article is None or wanted is None:
            return replies("Ask me for an article, please.")
        try:
            customer = (await client.get(f"{crm}/customers/{body['user']['id']}")).raise_for_status().json()
            found = (await client.get(f"{inventory}/articles/{article[0]}")).raise_for_status().json()
        except httpx.HTTPError:
            return replies("Sorry, something went wrong.", status=500)
        return replies(wanted.format(name=customer["name"], **found))

    return Starlette(routes=[Route("/v1/conversations/{id}/messages", message, methods=["POST"])], lifespan=lifespan)


def replies(text: str, *, status: int = 200) -> JSONResponse:
    return JSONResponse({"replies": [{"text": text}]}, status)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--crm", type=int, default=8821)
    parser.add_argument("--inventory", type=int, default=8822)
    arguments = parser.parse_args()
    app = shop(f"http://127.0.0.1:{arguments.crm}", f"http://127.0.0.1:{arguments.inventory}")
    uvicorn.run(app, port=arguments.port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
