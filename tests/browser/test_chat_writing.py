"""The chat without a server: writing, suggestions, menus, and all of it by keyboard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from mock_room import MODERATOR, QUIET, WITH_LINES, lines, mock, say
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]


# writing ----------------------------------------------------------------------------------------


async def test_a_message_is_there_at_once_and_once(open_page: Open) -> None:
    page = await open_page(QUIET)
    await mock(page, "room.answer = () => new Promise(done => { room.let = () => done(null); })")
    await page.get_by_label("Message", exact=True).fill("  hello   there ")
    await page.keyboard.press("Enter")
    await expect(page.locator(".line-waiting")).to_contain_text("hello there")
    await expect(page.get_by_label("Message", exact=True)).to_have_value("")
    await mock(page, "room.let()")
    await expect(page.locator(".line-waiting")).to_have_count(0)
    await expect(lines(page)).to_have_count(1)
    assert await mock(page, "return room.asked.length") == 1


async def test_a_refused_message_says_why_and_can_go_again(open_page: Open) -> None:
    page = await open_page(QUIET)
    refused = {"ok": False, "error": {"code": "links", "message": "Links are off in this channel."}}
    await mock(page, "room.answer = given", refused)
    await page.get_by_label("Message", exact=True).fill("see https://x.example")
    await page.get_by_role("button", name="Send").click()
    failed = page.locator(".line-failed")
    await expect(failed).to_contain_text("Links are off in this channel.")
    await mock(page, "room.answer = null")
    await failed.get_by_role("button", name="Try again").click()
    await expect(lines(page)).to_have_count(1)
    await expect(failed).to_have_count(0)
    first, second = await mock(page, "return room.asked.map(one => one.nonce)")
    assert first == second, "so that the server can tell it from a new one"


async def test_a_lost_connection_is_said_and_what_waited_goes_again(open_page: Open) -> None:
    page = await open_page(QUIET)
    lost = {"ok": False, "error": {"code": "timeout", "message": "The server didn't answer."}}
    await mock(page, "room.answer = given; room.tell('reconnecting')", lost)
    await page.get_by_label("Message", exact=True).fill("am I there?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".line-failed")).to_be_visible()
    alert = page.get_by_role("alert").filter(has_text="connection to the chat is lost")
    await expect(alert).to_be_visible(timeout=6000)
    await mock(
        page,
        "room.answer = null; room.tell('connected'); room.handlers.joined(room.join(false, []))",
    )
    await expect(page.locator(".line-failed")).to_have_count(0)
    await expect(lines(page)).to_have_count(1)
    await expect(alert).to_have_count(0)


async def test_the_answer_may_come_after_the_line(open_page: Open) -> None:
    """With other spaces than were typed, so that only the id tells."""
    page = await open_page(QUIET)
    await mock(
        page,
        "room.answer = async () => {"
        " const event = room.push('joan', 'as the server keeps it');"
        " await new Promise(done => setTimeout(done, 100));"
        " return {ok: true, id: event.id, sequence: event.sequence}; }",
    )
    await page.get_by_label("Message", exact=True).fill("as it was typed")
    await page.keyboard.press("Enter")
    await expect(page.locator(".line-waiting")).to_have_count(0)
    await expect(lines(page)).to_have_count(1)


async def test_slow_mode_counts_in_the_button(open_page: Open) -> None:
    page = await open_page("/@mira?case=offline&chat=slow")
    await page.clock.install()
    await page.get_by_label("Message", exact=True).fill("one")
    await page.keyboard.press("Enter")
    button = page.locator(".chat-send")
    await expect(button).to_have_text("8")
    await expect(button).to_have_accessible_name("Wait 8 seconds")
    await page.get_by_label("Message", exact=True).fill("two")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Message", exact=True)).to_have_value("two")
    await page.clock.run_for(3_000)
    await expect(button).to_have_text("5")
    await page.clock.run_for(6_000)
    await expect(button).to_have_accessible_name("Send")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Message", exact=True)).to_have_value("")


async def test_long_messages_are_counted(open_page: Open) -> None:
    page = await open_page(QUIET)
    field = page.get_by_label("Message", exact=True)
    await field.fill("x" * 399)
    await expect(page.locator(".chat-count")).to_be_hidden()
    await field.fill("x" * 470)
    await expect(page.locator(".chat-count")).to_have_text("30 left")
    await field.fill("🙂" * 502)
    await expect(page.locator(".chat-count")).to_have_text("2 too many")
    await page.keyboard.press("Enter")
    assert await mock(page, "return room.asked.length") == 0
    one = await page.locator(".chat-field").bounding_box()
    assert one
    assert one["height"] < 130, "it grows to four lines and then scrolls"


async def test_the_last_messages_are_recalled(open_page: Open) -> None:
    page = await open_page(QUIET)
    field = page.get_by_label("Message", exact=True)
    for text in ("first", "second"):
        await field.fill(text)
        await field.press("Enter")
    for key, expected in (
        ("ArrowUp", "second"),
        ("ArrowUp", "first"),
        ("ArrowUp", "first"),
        ("ArrowDown", "second"),
        ("ArrowDown", ""),
    ):
        await field.press(key)
        await expect(field).to_have_value(expected)


async def test_suggestions_by_keyboard(open_page: Open) -> None:
    page = await open_page(WITH_LINES)
    field = page.get_by_label("Message", exact=True)
    options = page.get_by_role("option")
    await field.press_sequentially("hi @ko")
    await expect(options).to_have_text(["@kofi"])
    active = await field.get_attribute("aria-activedescendant")
    await expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    await field.press("Tab")
    await expect(field).to_have_value("hi @kofi ")
    await field.press_sequentially(":br")
    await expect(options.first).to_contain_text("brush")
    await field.press("Enter")
    await expect(field).to_have_value("hi @kofi :brush: ")
    await field.press_sequentially(":wa")
    await field.press("Escape")
    await expect(options).to_have_count(0)
    await field.fill("")
    await field.press_sequentially("/h")
    await expect(options.first).to_contain_text("What you can type here")
    await field.press_sequentially("elp")
    await field.press("Enter")
    await expect(lines(page).last).to_contain_text("Done: /help")
    await expect(page.locator("#announcer")).to_have_text("Done: /help")


async def test_the_emote_picker_by_keyboard(open_page: Open) -> None:
    page = await open_page(WITH_LINES)
    field = page.get_by_label("Message", exact=True)
    await page.get_by_role("button", name="Emotes").press("Enter")
    search = page.get_by_role("searchbox", name="Search emotes")
    await expect(search).to_be_focused()
    await search.fill("brush")
    await search.press("ArrowDown")
    await expect(page.get_by_role("button", name="brush", exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(field).to_have_value(":brush: ")
    await expect(field).to_be_focused()
    await page.get_by_role("button", name="Emotes").press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Emotes")).to_be_hidden()


async def test_who_may_not_write_is_told_why(open_page: Open) -> None:
    page = await open_page("/@mira?case=bare&chat=empty")
    sign_in = page.get_by_role("link", name="Log in to chat")
    await expect(sign_in).to_have_attribute("href", "/login?next=/%40mira")
    await expect(page.get_by_label("Message", exact=True)).to_be_hidden()

    page = await open_page(QUIET)
    await mock(
        page,
        "room.setYou({can_write: false, code: 'timed_out', until_ms: Date.now() + 600_000,"
        " why_not: 'A moderator has timed you out.'})",
    )
    await expect(page.locator(".chat-blocked")).to_contain_text("for another 10 minutes")
    await expect(page.get_by_role("alert").filter(has_text="timed you out")).to_have_count(1)
    await mock(page, "room.setYou({can_write: true, code: null, until_ms: null, why_not: null})")
    await expect(page.get_by_label("Message", exact=True)).to_be_visible()


# menus and keys ---------------------------------------------------------------------------------


async def test_replying(open_page: Open) -> None:
    page = await open_page(WITH_LINES)
    line = lines(page).filter(has_text="is that the same harbour").first
    await line.hover()
    await line.get_by_role("button", name="Reply").click()
    await expect(page.locator(".chat-reply")).to_contain_text("@kofi is that the same harbour")
    await page.get_by_label("Message", exact=True).fill("it is")
    await page.keyboard.press("Enter")
    answer = lines(page).last
    await expect(answer.locator(".line-reply")).to_contain_text("@kofi is that the same harbour")
    await expect(page.locator(".chat-reply")).to_be_hidden()
    await answer.locator(".line-reply").click()
    await expect(line).to_have_class("line line-flash")


async def test_a_moderator_needs_no_mouse(open_page: Open) -> None:
    page = await open_page(MODERATOR)
    await page.get_by_role("log").focus()
    await page.keyboard.press("ArrowUp")
    at = await lines(page).last.locator("time").text_content()
    await expect(page.locator(".line:focus")).to_have_attribute(
        "aria-label", f"ana_outdoors, {at}: oh, the light on the water boat brush"
    )
    await say(page, "kofi", "a line that must not push the focused one away")
    await expect(page.locator(".chat-pill")).to_have_text("1 new message")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    menu = page.get_by_role("menu")
    await expect(menu.get_by_role("menuitem").first).to_be_focused()
    await expect(menu.get_by_role("menuitem")).to_have_count(10)
    await page.keyboard.press("Escape")
    await expect(page.locator(".line:focus")).to_have_count(1)
    await page.keyboard.press("Delete")
    await expect(page.locator(".line:focus")).to_contain_text("removed by a moderator")
    await page.keyboard.press("Enter")
    await page.keyboard.press("End")
    await expect(menu.get_by_role("menuitem").last).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(menu.get_by_role("menuitem").last).to_have_text("Press again to ban")
    assert len(await mock(page, "return room.asked")) == 1, "the first press only asks"
    await page.keyboard.press("Enter")
    await expect(page.locator("#announcer")).to_contain_text("Done for rahim.")
    assert (await mock(page, "return room.asked"))[-1]["type"] == "ban"


async def test_a_viewer_sees_no_moderation(open_page: Open) -> None:
    page = await open_page(WITH_LINES)
    line = lines(page).filter(has_text="is that the same harbour").first
    await line.hover()
    await expect(line.get_by_role("button", name="Remove")).to_be_hidden()
    await line.get_by_role("button", name="More").click()
    await expect(page.get_by_role("menuitem")).to_have_count(4)
    await expect(page.get_by_role("button", name="Unpin")).to_be_hidden()


async def test_nobody_is_offered_what_is_above_their_rank(open_page: Open) -> None:
    page = await open_page(MODERATOR)
    owner = lines(page).filter(has_text="Low tide this time").first
    await owner.click(button="right")
    await expect(page.get_by_role("menuitem", name="Reply")).to_be_visible()
    await expect(page.get_by_role("menuitem", name="Ban")).to_have_count(0)
    await expect(page.get_by_role("menuitem", name="Remove")).to_have_count(0)


async def test_the_card_of_a_person(open_page: Open) -> None:
    page = await open_page(MODERATOR)
    await (
        lines(page).filter(has_text="the one with the red boat").first.scroll_into_view_if_needed()
    )
    await page.locator('.line-name[data-user="tern"]').last.click()
    card = page.get_by_role("dialog", name="tern")
    await expect(card).to_contain_text("Follows since")
    await expect(card).to_contain_text("messages here")
    await card.get_by_role("button", name="Time out for 10 minutes").click()
    await expect(card).to_be_hidden()
    asked = (await mock(page, "return room.asked"))[-1]
    assert (asked["type"], asked["username"], asked["seconds"]) == ("timeout", "tern", 600)


async def test_touch_opens_the_menu_of_a_line(open_page: Open) -> None:
    page = await open_page(WITH_LINES, 390, 844, has_touch=True, is_mobile=True)
    await page.locator('.line[data-user="rahim"] .line-text').last.tap()
    menu = page.get_by_role("menu")
    await expect(menu).to_be_visible()
    box = await menu.bounding_box()
    assert box
    assert box["y"] + box["height"] == pytest.approx(844, abs=1)
    await menu.get_by_role("menuitem", name="Reply").tap()
    await expect(page.locator(".chat-reply")).to_contain_text("@rahim")


async def test_the_pinned_message_comes_and_goes(open_page: Open) -> None:
    page = await open_page(MODERATOR)
    pinned = page.locator(".chat-pinned")
    await expect(pinned).to_contain_text("Palette today")
    await pinned.get_by_role("button", name="Unpin").click()
    await expect(pinned).to_be_hidden()
    await page.get_by_role("log").focus()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("p")
    await expect(pinned).to_contain_text("oh, the light on the water")
