"""Two browsers and the real server: what one writes the other reads, also over a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.functional.site import ADMIN, PASSWORD, MakeSite, Site
from tests.mailbox import Mailbox
from tests.rtmp.publishers import pyav_publisher

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WIDE = (1440, 900)
PHONE = (390, 844)
BACK_MS = 30_000


@dataclass(slots=True)
class Two:
    """The streamer at a desk and a viewer on a phone, in the chat of one channel."""

    site: Site
    slug: str
    streamer: Page
    viewer: Page
    viewer_name: str
    publish_url: str


@pytest.fixture(scope="module")
def chat_site(make_site: MakeSite) -> Site:
    """A server of its own, as a test restarts it."""
    return make_site(config={"site": {"name": "Restarted"}})


@pytest_asyncio.fixture(loop_scope="session")
async def two(browser: Browser, chat_site: Site) -> AsyncIterator[Two]:
    site = chat_site
    channel = await site.new_channel()
    name = f"wren_{channel.slug.replace('-', '_')}"
    status, answer = await site.api(
        "POST",
        "/api/v1/auth/register",
        {"username": name, "email": f"{name}@example.org", "password": PASSWORD},
    )
    assert status == 201, answer
    letter = await Mailbox(site.storage).letter(f"{name}@example.org")
    status, answer = await site.api(
        "POST",
        "/api/v1/auth/register/confirm",
        {"handle": answer["handle"], "code": letter.code},
    )
    assert status == 201, answer
    contexts: list[BrowserContext] = []
    pages: list[Page] = []
    for username, (width, height) in ((ADMIN, WIDE), (name, PHONE)):
        is_phone = width == PHONE[0]
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            has_touch=is_phone,
            is_mobile=is_phone,
            base_url=site.url,
        )
        contexts.append(context)
        page = await context.new_page()
        await page.goto(f"/login?next=/@{channel.slug}")
        await page.locator("input[name=username]").fill(username)
        await page.locator("input[name=password]").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/@{channel.slug}")
        await page.locator("live-chat[data-joined]").wait_for()
        pages.append(page)
    yield Two(site, channel.slug, pages[0], pages[1], name, channel.publish_url)
    for context in contexts:
        await context.close()


async def write(page: Page, text: str) -> None:
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def test_writing_answering_and_moderating(two: Two) -> None:
    await write(two.viewer, "hello from the sofa")
    theirs = two.streamer.locator(f'.line[data-user="{two.viewer_name}"]')
    await expect(theirs).to_contain_text("hello from the sofa")
    await expect(two.viewer.locator(".line-waiting")).to_have_count(0)

    await theirs.hover()
    await theirs.get_by_role("button", name="Reply").click()
    await write(two.streamer, "welcome in")
    answer = two.viewer.locator(f'.line[data-user="{ADMIN}"]')
    await expect(answer).to_contain_text("welcome in")
    await expect(answer).to_have_class("line line-for-me")
    await expect(two.viewer.locator("#announcer")).to_have_text(f"{ADMIN} answers you: welcome in")

    await theirs.hover()
    await theirs.get_by_role("button", name="Remove").click()
    for page in (two.streamer, two.viewer):
        line = page.locator(f'.line[data-user="{two.viewer_name}"]')
        await expect(line).to_contain_text("removed by a moderator")

    await theirs.click(button="right")
    await two.streamer.get_by_role("menuitem", name="Time out for 10 minutes").click()
    await expect(two.viewer.locator(".chat-blocked")).to_contain_text("for another 10 minutes")
    again = await two.viewer.context.new_page()  # holds in another tab
    await again.goto(f"/@{two.slug}")
    await expect(again.locator(".chat-blocked")).to_be_visible()
    await expect(again.get_by_label("Message", exact=True)).to_be_hidden()
    await again.close()

    await write(two.streamer, f"/untimeout {two.viewer_name}")
    await write(two.viewer, "thank you")
    await expect(theirs.last).to_contain_text("thank you")


async def test_a_restart_loses_nothing_and_repeats_nothing(two: Two) -> None:
    for number in range(3):
        await write(two.viewer, f"before {number}")
    await expect(two.streamer.locator(".line[data-id]")).to_have_count(3)

    await asyncio.to_thread(two.site.stop)
    await write(two.viewer, "into the dark")
    await expect(two.viewer.locator(".line-failed")).to_contain_text("not connected")
    lost = two.streamer.get_by_role("alert").filter(has_text="connection to the chat is lost")
    await expect(lost).to_be_visible(timeout=BACK_MS)
    await asyncio.to_thread(two.site.start_again)

    expected = ["before 0", "before 1", "before 2", "into the dark", "after"]
    await expect(two.viewer.locator(".line-failed")).to_have_count(0, timeout=BACK_MS)
    await expect(two.streamer.locator(".line[data-id]")).to_have_count(4, timeout=BACK_MS)
    await expect(lost).to_have_count(0)
    await write(two.streamer, "after")
    for page in (two.streamer, two.viewer):
        await expect(page.locator(".line-text")).to_have_text(expected)
        await page.reload()
        await expect(page.locator(".line-text")).to_have_text(expected)


async def test_overlay_dock_and_pop_out(two: Two, browser: Browser) -> None:
    _, made = await two.site.api("GET", f"/api/v1/channels/{two.slug}/overlay-token")
    _, docked = await two.site.api(
        "POST", f"/api/v1/channels/{two.slug}/dock-tokens", {"name": "OBS"}
    )
    context = await browser.new_context(base_url=two.site.url)  # logged in as nobody
    overlay, dock, popout = [await context.new_page() for _ in range(3)]
    await overlay.goto(f"/overlay/{made['token']}/chat?fade=0")
    await dock.goto(f"/dock/{docked['token']}")
    await popout.goto(f"/popout/{two.slug}/chat")
    await expect(popout.get_by_role("link", name="Log in to chat")).to_be_visible()
    for page in (dock, popout):
        await page.locator("live-chat[data-joined]").wait_for()
    await write(dock, "from the dock <i>")
    for page in (two.viewer, overlay, popout):
        await expect(page.locator(".line-text").last).to_have_text("from the dock <i>")
    await expect(overlay.locator(".line-name")).to_contain_text(ADMIN)
    background = await overlay.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgba(0, 0, 0, 0)"
    await two.viewer.locator('.line[data-user="tester"]').last.wait_for()
    await write(two.streamer, "/clear")
    await expect(overlay.locator(".line")).to_have_count(0)
    await context.close()


async def test_a_followed_channel_that_goes_live_is_told_everywhere(two: Two) -> None:
    viewer = two.viewer
    await viewer.locator(".watch-facts").get_by_role("button", name="Follow").tap()
    await expect(viewer.locator("#announcer")).to_contain_text("You follow")
    async with viewer.expect_websocket():
        await viewer.goto("/")
    async with pyav_publisher(two.publish_url, size="320x180"):
        toast = viewer.locator(".toast")
        await expect(toast).to_contain_text("is live", timeout=BACK_MS)
        await toast.get_by_role("link", name="Watch").tap()
        await viewer.wait_for_url(f"**/@{two.slug}")
        # the page that was open all along has turned live too, over the same connection
        await expect(two.streamer.locator("[data-badge]")).to_have_text("Live", timeout=BACK_MS)


async def test_wrong_tokens_open_nothing(two: Two) -> None:
    page = two.streamer
    for path in ("/overlay/ovl_000000000000000000000000000/chat", "/dock/x", "/overlay/x/chat"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 404
        await expect(page.get_by_text("This link doesn't work any more")).to_be_visible()
