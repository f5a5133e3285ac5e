"""The chat without a server: its lines, and which of them are spoken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from mock_room import LINES_MAX, QUIET, WITH_LINES, lines, mock, say, scroll_up
from playwright.async_api import Page, expect

from mediaserver.routes.pages.chat import name_hue

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]


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
