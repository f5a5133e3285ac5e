"""The chat in its page without a server: beside the picture, on it, on a phone, embedded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from mock_room import WITH_LINES, lines, mock, say
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]


async def test_comments_on_the_picture(open_page: Open) -> None:
    page = await open_page("/@mira?case=offline&chat=empty")
    button = page.locator(".chat-head").get_by_role("button", name="Comments on the picture")
    await say(page, "kofi", "beside the chat it would stand twice")
    await expect(lines(page)).to_have_count(1)
    await expect(page.locator(".comment")).to_have_count(0)
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "true")
    await say(page, "kofi", "on the picture <b>too</b>")
    await expect(page.locator("live-player .comment")).to_have_text(
        "kofi on the picture <b>too</b>"
    )
    await mock(page, "room.silence('kofi')")
    await expect(page.locator(".comment")).to_have_count(0)
    await page.locator("live-player").focus()
    await page.keyboard.press("o")
    await expect(button).to_have_attribute("aria-pressed", "false")
    await page.reload()
    await expect(button).to_have_attribute("aria-pressed", "false")


async def test_a_hidden_chat_stays_hidden_and_comments_take_over(open_page: Open) -> None:
    page = await open_page("/@mira?case=offline&chat=empty")
    await page.get_by_role("button", name="Hide chat").click()
    await expect(page.get_by_role("log")).to_be_hidden()
    show = page.get_by_role("button", name="Show chat")
    await expect(show).to_be_focused()
    await say(page, "kofi", "over the picture")
    await expect(page.locator(".comment")).to_have_text("kofi over the picture")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-chat-hidden", "")
    await show.click()
    await expect(page.get_by_role("log")).to_be_visible()


async def test_theatre_fills_the_window_beside_the_chat(open_page: Open) -> None:
    page = await open_page("/@mira?case=offline&chat=empty")
    await page.locator("live-player").focus()
    await page.keyboard.press("t")
    player = await page.locator("live-player").bounding_box()
    chat = await page.locator("live-chat").bounding_box()
    assert player
    assert chat
    assert (player["x"], player["y"], player["height"]) == (0, 0, 900)
    assert player["width"] + chat["width"] == pytest.approx(1440, abs=1)
    assert chat["height"] == 900


@pytest.mark.parametrize("size", [(1440, 900), (1100, 700), (768, 1024), (390, 844), (844, 390)])
async def test_field_and_picture_are_on_the_first_screen(
    open_page: Open, size: tuple[int, int]
) -> None:
    page = await open_page("/@mira?case=offline&chat=pinned", *size)
    if size != (844, 390):
        await expect(page.get_by_label("Message", exact=True)).to_be_in_viewport(ratio=1)
    await expect(page.locator("live-player")).to_be_in_viewport(ratio=0.8)
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


async def test_a_phone_with_its_keyboard_open(open_page: Open) -> None:
    page = await open_page(WITH_LINES, 390, 844, has_touch=True, is_mobile=True)
    field = page.get_by_label("Message", exact=True)
    await field.tap()
    await page.set_viewport_size({"width": 390, "height": 480})  # what a keyboard leaves
    await expect(field).to_be_in_viewport(ratio=1)
    await expect(lines(page).last).to_be_in_viewport(ratio=1)
    await expect(page.locator("live-player")).to_be_in_viewport(ratio=1)
    log = await page.get_by_role("log").bounding_box()
    assert log
    assert log["height"] > 120


async def test_a_phone_keeps_the_picture_on_top(open_page: Open) -> None:
    page = await open_page(WITH_LINES, 390, 844, has_touch=True, is_mobile=True)
    await page.get_by_role("link", name="Schedule").last.scroll_into_view_if_needed()
    box = await page.locator("live-player").bounding_box()
    assert box
    assert box["y"] == 0


async def test_what_the_connection_tells_of_the_stream(open_page: Open) -> None:
    """Read at once: the player goes on asking the server, which knows nothing of this."""
    page = await open_page("/@mira?case=live&chat=rendered")
    told = await mock(
        page,
        "room.handlers.presence({channel: 'mira', viewers: 77, followers: 1500});"
        " const {view} = document.querySelector('live-player');"
        " room.handlers.live({...view, title: 'Boats at night'});"
        " const text = name => document.querySelector(name).textContent;"
        " return [text('[data-viewers]'), text('h1'), document.title];",
    )
    assert told == ["77 viewers", "Boats at night", "Boats at night · Mira Paints · Lantern"]


async def test_the_last_lines_read_without_javascript(open_page: Open) -> None:
    page = await open_page("/@mira?case=offline", java_script_enabled=False)
    await expect(lines(page)).to_have_text(
        ["Streamermira Good evening. Low tide today.", "kofi lovely light"]
    )
    await expect(page.locator(".chat-form")).to_be_hidden()
    await expect(page.get_by_role("button", name="Hide chat")).to_be_hidden()
    await expect(page.get_by_text("Writing needs JavaScript")).to_be_visible()


async def test_a_chat_to_read_has_no_field(open_page: Open) -> None:
    page = await open_page("/popout/mira/chat?case=read&chat=pinned")
    await expect(page.get_by_role("log")).to_be_visible()
    await expect(page.get_by_label("Message", exact=True)).to_be_hidden()
    await expect(page.get_by_role("link", name="Log in to chat")).to_be_hidden()


async def test_an_embedded_player_is_silent_and_alone(open_page: Open) -> None:
    page = await open_page("/embed/mira?case=offline", 640, 360)
    assert await page.evaluate("document.querySelector('video').muted")
    assert await page.evaluate("localStorage.volume") is None
    box = await page.locator("live-player").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 640, "height": 360}
