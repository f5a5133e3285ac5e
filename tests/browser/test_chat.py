"""The chat against a room without a server: lines, writing, moderation, keys, layout.

`chat.mock` (web/static/js/chat-mock.js) plays the room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from mediaserver.routes.pages.chat import name_hue

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]

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


# lines ------------------------------------------------------------------------------------------


async def test_markup_in_a_message_stays_text(open_page: Open) -> None:
    page = await open_page(QUIET)
    text = "<img src=x onerror=alert(1)><script>alert(2)</script> &amp; javascript:alert(3)"
    await say(page, "kofi", text)
    await expect(lines(page).last.locator(".line-text")).to_have_text(text)
    assert await lines(page).last.locator("img, script, a").count() == 0


async def test_links_lead_only_to_the_web(open_page: Open) -> None:
    page = await open_page(QUIET)
    await say(
        page, "kofi", "see https://example.org/a_(b), http://x.example/?q=1. data:text/html,x"
    )
    links = lines(page).last.locator("a")
    await expect(links).to_have_count(2)
    assert await links.evaluate_all("all => all.map(a => a.href)") == [
        "https://example.org/a_(b)",
        "http://x.example/?q=1",
    ]
    for name, value in (("target", "_blank"), ("rel", "noopener noreferrer nofollow ugc")):
        await expect(links.first).to_have_attribute(name, value)
    await say(page, "kofi", "https://bank.example@evil.example/ is no link, nor https://")
    await expect(lines(page)).to_have_count(2)
    assert await lines(page).last.locator("a").count() == 0
    await say(page, "kofi", "https://аpple.example/")
    await expect(lines(page).last.locator("a")).to_have_text("xn--pple-43d.example")


async def test_lines_of_one_person_share_a_name_for_40_seconds(open_page: Open) -> None:
    page = await open_page(QUIET)
    now = await page.evaluate("Date.now()")
    for name, text, at_s in (
        ("kofi", "one", 0),
        ("kofi", "two", 39),
        ("kofi", "three", 41),
        ("tern", "four", 42),
        ("kofi", "five", 43),
    ):
        await say(page, name, text, at_ms=now + at_s * 1000)
    await expect(lines(page)).to_have_count(5)
    folded = await lines(page).evaluate_all(
        "all => all.map(line => line.classList.contains('line-folded'))"
    )
    assert folded == [False, True, False, False, False]


async def test_it_stays_at_the_bottom_and_keeps_200_lines(open_page: Open) -> None:
    page = await open_page(QUIET)
    await mock(page, "for (let i = 0; i < 450; i++) room.push('kofi', `line ${i}`)")
    await expect(lines(page).last).to_contain_text("line 449")
    assert await page.locator(".chat-lines > *").count() == LINES_MAX
    assert await page.locator(".chat-scroll").evaluate("e => e.scrollTop") == 0
    await expect(page.locator(".chat-pill")).to_be_hidden()
    await expect(lines(page).first.locator(".line-name")).to_be_visible()


async def test_a_reader_above_is_left_in_peace(open_page: Open) -> None:
    page = await open_page(QUIET)
    await mock(page, "for (let i = 0; i < 80; i++) room.push('kofi', `line ${i}`)")
    await expect(lines(page)).to_have_count(80)
    await scroll_up(page, 20)  # not worth leaving the bottom for
    await say(page, "tern", "close by")
    await expect(lines(page)).to_have_count(81)
    await scroll_up(page, 400)
    where = await lines(page).nth(40).bounding_box()
    for text in ("one", "two", "three"):
        await say(page, "tern", text)
    pill = page.locator(".chat-pill")
    await expect(pill).to_have_text("3 new messages")
    await expect(lines(page)).to_have_count(81)
    assert await lines(page).nth(40).bounding_box() == where
    await pill.click()
    await expect(lines(page)).to_have_count(84)
    await expect(pill).to_be_hidden()
    await expect(lines(page).last).to_be_in_viewport()


async def test_removed_lines_stay_as_removed(open_page: Open) -> None:
    page = await open_page(QUIET)
    for text in ("fine", "awful"):
        await say(page, "kofi", text)
    await expect(lines(page)).to_have_count(2)
    await mock(page, "room.silence('kofi')")
    await expect(lines(page).last).to_contain_text("removed by a moderator")
    await expect(page.locator(".chat-lines")).not_to_contain_text("awful")
    await expect(lines(page)).to_have_count(2)


async def test_lines_removed_while_the_reader_is_above(open_page: Open) -> None:
    page = await open_page(QUIET)
    await mock(page, "for (let i = 0; i < 80; i++) room.push('tern', `line ${i}`)")
    await expect(lines(page)).to_have_count(80)
    await scroll_up(page, 400)
    await say(page, "kofi", "awful")
    await mock(page, "room.silence('kofi')")
    await page.locator(".chat-pill").click()
    await expect(lines(page).last).to_contain_text("removed by a moderator")
    await expect(page.locator(".chat-lines")).not_to_contain_text("awful")


async def test_a_removed_message_leaves_the_quotes_too(open_page: Open) -> None:
    page = await open_page(QUIET)
    await mock(
        page,
        """const asked = room.push('kofi', 'awful');
        const reply_to = {id: asked.id, username: 'kofi', text: 'awful'};
        room.push('tern', 'what a thing to say', {reply_to});
        room.push('ana', 'yes', {reply_to});""",
    )
    await expect(page.locator(".line-reply bdi")).to_have_text(["awful", "awful"])
    await mock(page, "room.silence('kofi')")
    await expect(page.locator(".line-reply bdi")).to_have_text(["", ""])
    await expect(page.locator(".line-reply").first).to_contain_text("@kofi")
    assert "awful" not in await page.locator("live-chat").evaluate(
        "chat => chat.querySelector('.chat-body').innerHTML"
    )


async def test_removed_lines_beside_each_other_become_one(open_page: Open) -> None:
    page = await open_page(QUIET)
    for text in ("one", "two", "three"):
        await say(page, "kofi", text)
    await say(page, "tern", "good")
    await mock(page, "room.silence('kofi')")
    await expect(page.locator(".chat-lines .line:visible")).to_have_count(2)
    gone = lines(page).nth(2)
    await expect(gone.locator(".line-removed")).to_have_text("3 messages removed by a moderator")
    await expect(gone.locator(".line-name")).to_be_hidden()
    await expect(page.locator(".line-folded")).to_have_count(0)


async def test_the_name_comes_again_after_three_folded_lines_or_a_long_one(
    open_page: Open,
) -> None:
    page = await open_page(QUIET)
    now = await page.evaluate("Date.now()")
    for text in ("1", "2", "3", "4", "5", "6", "word " * 60, "8"):
        await say(page, "kofi", text, at_ms=now)
    await expect(lines(page)).to_have_count(8)
    folded = await lines(page).evaluate_all(
        "all => all.map(line => line.classList.contains('line-folded'))"
    )
    assert folded == [False, True, True, True, False, True, True, False]


async def test_a_message_of_many_lines_shows_its_beginning(open_page: Open) -> None:
    page = await open_page(QUIET)
    await say(page, "kofi", "word " * 99)
    line = lines(page).last
    box = await line.bounding_box()
    await line.get_by_role("button", name="Show all").click()
    whole = await line.bounding_box()
    assert box
    assert whole
    assert whole["height"] > box["height"]
    await expect(line.get_by_role("button", name="Show all")).to_have_count(0)


async def test_an_answer_of_many_lines_is_one_block(open_page: Open) -> None:
    page = await open_page(QUIET)
    await page.locator("live-chat").evaluate("chat => chat.view.tell('/mods: a\\n/help: b')")
    await expect(lines(page)).to_have_count(1)
    await expect(page.locator(".line-notice-text br")).to_have_count(1)


async def test_rules_and_clearing_are_told(open_page: Open) -> None:
    page = await open_page(QUIET)
    await say(page, "kofi", "hello")
    await mock(page, "room.tellOf('rules', {by: 'lena_k', rules: {...room.rules, slow_s: 120}})")
    await expect(lines(page).last).to_have_text("lena_k turned on slow mode (2 minutes).")
    await expect(page.get_by_role("list", name="Rules in force")).to_have_text(
        "Slow mode, 2 minutes"
    )
    await mock(page, "room.tellOf('rules', {by: 'lena_k', rules: {...room.rules, slow_s: 0}})")
    await expect(lines(page).last).to_have_text("lena_k turned off slow mode.")
    await mock(page, "room.tellOf('cleared', {by: 'lena_k'})")
    await expect(lines(page)).to_have_text(["lena_k cleared the chat."])


async def test_hostile_text_stays_in_its_line(open_page: Open) -> None:
    for width in (1440, 390):
        page = await open_page(QUIET, width=width)
        await say(page, "kofi", "W" * 500)
        await say(page, "tern", "\u05e9\u05dc\u05d5\u05dd mira, \u0645\u0633\u0627\u0621 end")
        await expect(lines(page)).to_have_count(2)
        assert (
            await page.locator(".chat-scroll").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
        )
        name = await lines(page).last.locator(".line-name").bounding_box()
        text = await lines(page).last.locator(".line-text").bounding_box()
        assert name
        assert text
        assert name["x"] < text["x"], "the name stays on its side"


async def test_two_hundred_emotes(open_page: Open) -> None:
    page = await open_page("/@mira?case=offline&chat=emotes")
    await expect(lines(page).last.locator("img.emote")).to_have_count(3)
    await say(page, "kofi", ":wave::brush:")
    await expect(lines(page).last.locator(".line-emotes img")).to_have_count(2)
    await say(page, "kofi", ":wave:x :nosuch: 10:30:45")
    await expect(lines(page).last.locator("img")).to_have_count(1)
    await expect(lines(page).last.locator(".line-text")).to_have_text("x :nosuch: 10:30:45")
    assert await lines(page).last.locator("img").get_attribute("alt") == ":wave:"


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_names_are_readable_on_every_ground(open_page: Open, theme: str) -> None:
    page = await open_page("/popout/mira/chat?case=member", color_scheme=theme)
    await page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    found = await page.evaluate(
        """() => {
          const canvas = document.createElement('canvas')
            .getContext('2d', {willReadFrequently: true});
          const paint = (...colours) => {
            for (const colour of colours) {
              canvas.fillStyle = colour;
              canvas.fillRect(0, 0, 1, 1);
            }
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(v => {
              v /= 255;
              return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const sample = document.querySelector('.chat').appendChild(document.createElement('i'));
          const colour = token => {
            sample.style.color = token;
            return getComputedStyle(sample).color;
          };
          const tint = colour('oklch(from var(--accent) l c h / 0.14)');
          const grounds = [
            [colour('var(--surface)')], [colour('var(--raised)')], [colour('var(--surface)'), tint],
          ];
          const low = [];
          for (let hue = 0; hue < 12; hue++) {
            const name = document.createElement('span');
            name.className = `line-name hue-${hue}`;
            document.querySelector('.chat-lines').append(name);
            const ink = getComputedStyle(name).color;
            for (const [index, ground] of grounds.entries()) {
              const [dark, light] = [paint(...ground), paint(ink)].sort((a, b) => a - b);
              const contrast = (light + 0.05) / (dark + 0.05);
              if (contrast < 4.5) low.push([hue, index, contrast]);
            }
          }
          return low;
        }"""
    )
    assert found == []


async def test_page_and_script_give_a_name_the_same_colour(open_page: Open) -> None:
    page = await open_page(QUIET)
    names = ["mira", "kofi", "ana_outdoors", "x" * 24, "bo3"]
    hues = await page.evaluate(
        "names => import('/static/js/chat-events.js').then(m => names.map(m.hueOf))", names
    )
    assert hues == [name_hue(name) for name in names]


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
    await expect(menu.get_by_role("menuitem")).to_have_count(9)
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
    await expect(page.get_by_role("menuitem")).to_have_count(3)
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


# announcer --------------------------------------------------------------------------------------


async def prefers(page: Page, value: str) -> None:
    await page.get_by_role("button", name="Chat settings").click()
    await page.get_by_label(value).check()
    await page.keyboard.press("Escape")


async def test_only_what_is_meant_for_me_is_spoken(open_page: Open) -> None:
    page = await open_page(QUIET)
    announcer = page.locator("#announcer")
    assert await page.get_by_role("log").get_attribute("aria-live") == "off"
    await say(page, "kofi", "hello all")
    await say(page, "joan", "my own @joan")
    await say(page, "tern", "@joanna is somebody else")
    await say(page, "kofi", "@Joan have a look :wave:")
    await expect(announcer).to_have_text("kofi mentions you: @Joan have a look wave")


async def test_all_lines_are_spoken_by_choice_and_summed_up(open_page: Open) -> None:
    page = await open_page(QUIET)
    announcer = page.locator("#announcer")
    await prefers(page, "All messages")
    await say(page, "kofi", "hello all")
    await expect(announcer).to_have_text("kofi: hello all")
    await mock(page, "for (let i = 0; i < 12; i++) room.push('tern', `line ${i}`)")
    await expect(announcer).to_have_text("kofi: hello all")
    await expect(announcer).to_have_text("12 new messages", timeout=7000)


async def test_silence_is_a_choice_and_is_kept(open_page: Open) -> None:
    page = await open_page(QUIET)
    await prefers(page, "Nothing")
    await page.reload()
    await say(page, "kofi", "@joan have a look")
    await expect(lines(page)).to_have_count(1)
    await page.wait_for_timeout(300)
    await expect(page.locator("#announcer")).to_have_text("")


async def test_times_are_shown_by_choice(open_page: Open) -> None:
    page = await open_page(WITH_LINES)
    await expect(lines(page).last.locator("time")).to_be_hidden()
    await prefers(page, "Show times")
    await expect(lines(page).last.locator("time")).to_be_visible()


# layout -----------------------------------------------------------------------------------------


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
