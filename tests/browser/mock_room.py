"""The chat of a page against a room without a server, which `chat.mock` plays
(web/static/js/chat-mock.js).
"""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

QUIET = "/@mira?case=offline&chat=empty"
WITH_LINES = "/@mira?case=offline&chat=pinned"
MODERATOR = "/popout/mira/chat?case=member&chat=moderator"
LINES_MAX = 200


async def mock(page: Page, script: str, argument: Any = None) -> Any:
    """Runs `script` with the mock room as `room`."""
    return await page.evaluate(
        f"(given) => {{ const room = document.querySelector('live-chat').mock; {script} }}",
        argument,
    )


async def say(page: Page, name: str, text: str, **more: Any) -> None:
    await mock(page, "room.push(...given)", [name, text, more])


def lines(page: Page) -> Any:
    return page.locator(".chat-lines .line")


async def scroll_up(page: Page, pixels: int) -> None:
    await page.locator(".chat-scroll").evaluate("(e, by) => e.scrollBy(0, -by)", pixels)
