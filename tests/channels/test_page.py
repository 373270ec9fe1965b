"""The chat page in a real browser, over a real server."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from channels.serving import Desk, serving, until
from playwright.async_api import BrowserContext, Page, Route, async_playwright, expect

from flowc.runtime.channels.tokens import Token, hashed
from flowc.runtime.services.scripted import Gives
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.memory import MemoryStore

pytestmark = pytest.mark.browser

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-default-apps", "--no-default-browser-check"),
]
PICTURES = os.environ.get("FLOWC_PICTURES")  # a folder for pictures of the page, to look at


@pytest.fixture(scope="module")
async def browser(chromium: str) -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = await opened.new_context()
        yield context
        await context.close()
        await opened.close()


@pytest.fixture
async def page(browser: BrowserContext) -> AsyncIterator[Page]:
    """A tab of its own, which may not complain."""
    complaints: list[str] = []
    opened = await browser.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.set_default_timeout(8_000)
    yield opened
    await opened.close()
    assert complaints == []


@asynccontextmanager
async def visiting(page: Page) -> AsyncIterator[Desk]:
    async with serving() as desk:
        await page.goto(f"http://127.0.0.1:{desk.port}/")
        yield desk
        await page.goto("about:blank")


async def says(page: Page, *texts: str) -> None:
    """The page shows these lines, of both sides, and no others."""
    await expect(page.locator("#log > li")).to_have_text(list(texts))


async def write(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


GREETING = "Hello there!Find itShow me"


async def test_a_conversation_by_buttons_and_by_typing(page: Page) -> None:
    async with visiting(page) as desk:
        desk.script("find", Gives("gold"))
        await says(page, GREETING)
        await page.get_by_role("button", name="Find it").click()
        await says(page, GREETING, "Find it", "Found gold.", "More?")
        await expect(page.get_by_role("button", name="Show me")).to_be_disabled()
        await write(page, "show me")
        await expect(page.locator("#log > li").nth(5)).to_have_text("Here it is.Where it is")
        await expect(page.get_by_role("link", name="Where it is")).to_have_attribute("rel", "noopener noreferrer")
        await write(page, "no")
        await expect(page.locator("#log > li").nth(-1)).to_have_text(re.compile("has ended"))
        await expect(page.locator("#where")).to_have_text("1.2.0 · ended")
        await write(page, "show me")
        await expect(page.locator("#log > li").nth(-1)).to_have_text("More?")
        await expect(page.locator("#where")).to_have_text("1.2.0 · waiting")


async def test_people_take_over(page: Page) -> None:
    async with visiting(page):
        await says(page, GREETING)
        await write(page, "people")
        await says(page, GREETING, "people", "People will help.", "People have taken over.")


async def test_text_is_text(page: Page) -> None:
    hostile = '<script>document.title="owned"</script><img src=x onerror=alert(1)>'
    async with visiting(page):
        await says(page, GREETING)
        await write(page, "echo")
        await says(page, GREETING, "echo", "Which word?")
        await write(page, hostile)
        await says(page, GREETING, "echo", "Which word?", hostile, f"You said {hostile}, nobody.", "More?")
        assert await page.locator("#log script, #log img").count() == 0
        assert await page.title() == "flowc chat"


async def test_a_reload_goes_on_where_it_was(page: Page) -> None:
    async with visiting(page):
        await says(page, GREETING)
        await write(page, "echo")
        await says(page, GREETING, "echo", "Which word?")
        await page.reload()
        await says(page, GREETING, "echo", "Which word?")
        await write(page, "hm")
        await says(page, GREETING, "echo", "Which word?", "hm", "You said hm, nobody.", "More?")
        await page.get_by_role("button", name="New conversation").click()
        await says(page, GREETING)
        await page.reload()
        await says(page, GREETING)
        await expect(page.get_by_role("button", name="Find it")).to_be_enabled()


async def test_a_reload_while_a_message_is_on_its_way_sends_it_again(page: Page) -> None:
    async with visiting(page) as desk:
        desk.script("pay", Gives("R-1", after_s=0.5))
        await says(page, GREETING)
        await write(page, "pay")
        await until(lambda: bool(desk.shop.attempts))
        await page.reload()
        desk.clock.pass_to(desk.clock.now_ms() + 500)
        await says(page, GREETING, "pay", "Paid R-1.", "More?")
        assert len(desk.shop.attempts) == 1


async def test_what_nobody_asked_for_appears(page: Page) -> None:
    async with visiting(page) as desk:
        desk.script("pay", Gives("R-1", after_s=0.5))
        await says(page, GREETING)
        await write(page, "later")
        await says(page, GREETING, "later", "Queued.", "More?")
        await until(lambda: bool(desk.shop.attempts))
        desk.clock.pass_to(desk.clock.now_ms() + 500)
        await says(page, GREETING, "later", "Queued.", "More?", "Later paid R-1.", "More?")


async def test_a_slow_answer_comes_in_its_parts(page: Page) -> None:
    async with visiting(page) as desk:
        desk.script("dig", Gives("gold", after_s=20))
        await says(page, GREETING)
        await write(page, "dig")
        await says(page, GREETING, "dig", "Digging.")
        desk.clock.pass_to(desk.clock.now_ms() + 3_000)
        await expect(page.locator("#where")).to_have_text(re.compile("waiting"))
        await expect(page.locator("#wait")).to_be_visible()
        desk.clock.pass_to(desk.clock.now_ms() + 17_000)
        await says(page, GREETING, "dig", "Digging.", "Dug up gold.", "More?")
        await expect(page.locator("#wait")).to_be_hidden()


async def test_a_refused_message_is_said_and_the_next_one_is_taken(page: Page) -> None:
    async with visiting(page) as desk:
        await says(page, GREETING)
        await page.evaluate("input.maxLength = 100000")
        await page.evaluate("send('x'.repeat(70000))")
        await expect(page.locator("#log > .error")).to_have_text(re.compile("at most 65536 are taken"))
        await write(page, "no")
        await expect(page.locator("#where")).to_have_text("1.2.0 · ended")
        assert desk.shop.attempts == []


async def test_a_server_with_too_much_to_do_is_asked_again_when_it_says(page: Page) -> None:
    told = [{"status": 503, "headers": {"retry-after": "1"}, "body": "{}"}]

    async def refuse(route: Route) -> None:
        await (route.fulfill(**told.pop()) if told else route.fallback())  # type: ignore[arg-type]  # as it is above

    async with visiting(page) as desk:
        await says(page, GREETING)
        await page.route("**/messages", refuse)
        await write(page, "no")
        await expect(page.locator("#where")).to_have_text("much to do, trying again…")
        await says(page, GREETING, "no", "Bye.", "The conversation has ended. Write to begin a new one.")
        assert desk.shop.attempts == []


async def test_a_token_comes_from_the_address(page: Page) -> None:
    async with serving(Token("website", hashed("w"))) as desk:
        await page.goto(f"http://127.0.0.1:{desk.port}/")
        await expect(page.locator("#log > .error")).to_have_text(re.compile("send a token"))
        await page.goto("about:blank")
        await page.evaluate("0")
        await page.goto(f"http://127.0.0.1:{desk.port}/#token=w")
        await page.get_by_role("button", name="New conversation").click()
        await says(page, GREETING)
        await page.goto("about:blank")


async def test_a_restart_of_the_server_is_survived(page: Page) -> None:
    store = MemoryStore(SimulatedClock(1_790_000_000_000))
    async with serving(store=store) as desk:
        port = desk.port
        await page.goto(f"http://127.0.0.1:{port}/")
        await says(page, GREETING)
    await write(page, "echo")
    await expect(page.locator("#where")).to_have_text(re.compile("no connection"))
    async with serving(store=store, port=port):
        await says(page, GREETING, "echo", "Which word?")
        await write(page, "hm")
        await says(page, GREETING, "echo", "Which word?", "hm", "You said hm, nobody.", "More?")
        await page.goto("about:blank")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
async def test_it_fits_a_phone_and_a_desk_in_light_and_dark(page: Page, scheme: str, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 740})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    async with visiting(page):
        await says(page, GREETING)
        await write(page, "echo")
        await write(page, "A longer answer, " * 12 + "and" + "a" * 90)
        await write(page, "show me")
        await write(page, "no")
        await expect(page.locator("#log > .note")).to_have_count(1)
        if PICTURES:
            await page.screenshot(path=Path(PICTURES) / f"chat-{scheme}-{width}.png")
            await page.get_by_role("button", name="New conversation").click()
            await says(page, GREETING)
            await page.screenshot(path=Path(PICTURES) / f"new-{scheme}-{width}.png")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = await page.get_by_role("button", name="Send").bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 740
