"""People with accounts at a real server, their programs and their browsers."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import Any

import aiohttp
from playwright.async_api import Browser, BrowserContext, Locator, Page
from yarl import URL

from tests.functional.platform_site import Person
from tests.functional.site import Site
from tests.mailbox import Mailbox

WIDE, PHONE = (1440, 900), (390, 844)
PHONE_OPTIONS = {"has_touch": True, "is_mobile": True}
CLOSE_TIMEOUT_S = 20
_numbers = itertools.count(1)


async def close(opened: BrowserContext | Browser) -> None:
    """Done with a window or a browser. Once in a great while Chromium never says that it is closed;
    it then ends with Playwright's own process."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await opened.close()


class Visitors:
    """Makes accounts, opens browsers for them, and closes all of it.

    `complaints` holds what went wrong inside pages; at the end there should be none.
    """

    def __init__(self, browser: Browser, site: Site, *, numbered: bool = True) -> None:
        self._browser = browser
        self._site = site
        self._numbered = numbered

        self.complaints: list[str] = []
        self._contexts: list[Any] = []
        self._programs: list[aiohttp.ClientSession] = []

    async def close_browsers(self) -> None:
        while self._contexts:
            await close(self._contexts.pop())

    async def aclose(self) -> None:
        await self.close_browsers()
        for program in self._programs:
            await program.close()

    async def account(self, name: str) -> Person:
        """A new account. `numbered` names keep tests from meeting each other's people."""
        person = Person(
            URL(self._site.url),
            aiohttp.ClientSession(
                cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(total=20)
            ),
            Mailbox(self._site.storage),
        )
        self._programs.append(person.http)
        username = f"{name}{next(_numbers)}" if self._numbered else name
        await person.register(username)
        await person.log_in_as_program(username)
        return person

    async def streamer(self, name: str, **about: Any) -> Person:
        """An account with a channel of the same name."""
        person = await self.account(name)
        slug = person.username
        await person.make_channel(slug)
        status, answer = (
            await person.api("PATCH", f"/channels/{slug}", about) if about else (200, "")
        )
        assert status == 200, answer
        return person

    async def browse(
        self,
        path: str,
        person: Person | None = None,
        size: tuple[int, int] = WIDE,
        **options: Any,
    ) -> Page:
        """A browser of its own, logged in as `person`, at `path`."""
        if size == PHONE:
            options = {**PHONE_OPTIONS, **options}
        context = await self._browser.new_context(
            viewport={"width": size[0], "height": size[1]}, base_url=self._site.url, **options
        )
        self._contexts.append(context)
        if person is not None:
            await context.add_cookies(
                [
                    {"name": cookie.key, "value": cookie.value, "url": self._site.url}
                    for cookie in person.http.cookie_jar
                ]
            )
        context.on("page", self._listen)
        page: Page = await context.new_page()
        await page.goto(path)
        return page

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda m: "Content Security Policy" in m.text and self.complaints.append(m.text),
        )


# what is on a page with a chat ------------------------------------------------------------------


def field(page: Page) -> Locator:
    return page.get_by_label("Message", exact=True)


def lines(page: Page, text: str = "") -> Locator:
    """The lines of the chat, or those with `text`; what is still on its way is none."""
    every = page.locator(".chat-lines .line")
    return every.filter(has_text=text) if text else every


def on_the_way(page: Page) -> Locator:
    return page.locator(".line-waiting")


async def write(page: Page, text: str) -> None:
    await field(page).fill(text)
    await field(page).press("Enter")


async def hear(page: Page) -> None:
    """Keep everything that the status line says to screen readers; `heard` gives it."""
    await page.evaluate(
        """() => {
          const line = document.getElementById('announcer');
          window.heard = [];
          new MutationObserver(() => line.textContent && window.heard.push(line.textContent))
            .observe(line, {childList: true, characterData: true, subtree: true});
        }"""
    )


async def heard(page: Page) -> list[str]:
    return list(await page.evaluate("window.heard"))
