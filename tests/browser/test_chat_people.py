"""The chat between people: a real server, real accounts, a browser for each of them.

A streamer at a desk (1440 px) and a viewer with a phone (390 px) look at the same channel.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, WebSocketRoute, expect
from visitors import PHONE, WIDE, Visitors, field, hear, heard, lines, on_the_way, write
from yarl import URL

from tests import pictures
from tests.functional.platform_site import PASSWORD, Person
from tests.functional.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SLOW_MS = 20_000
"""For what comes over a connection that was away."""

TABS_MAX = 60


@dataclass(frozen=True, slots=True)
class Meeting:
    """A streamer and a viewer at one channel: `desk` is 1440 px wide, `phone` 390."""

    visitors: Visitors
    streamer: Person
    viewer: Person
    desk: Page
    phone: Page

    @property
    def slug(self) -> str:
        return self.streamer.username

    @property
    def path(self) -> str:
        return f"/@{self.slug}"

    async def see(self, text: str, count: int = 1) -> None:
        """Both see the line, and nothing is still on its way."""
        for page in (self.desk, self.phone):
            await expect(lines(page, text)).to_have_count(count, timeout=SLOW_MS)
            await expect(on_the_way(page)).to_have_count(0, timeout=SLOW_MS)


@asynccontextmanager
async def meeting_at(visitors: Visitors) -> AsyncIterator[Meeting]:
    streamer, viewer = await visitors.streamer("mira"), await visitors.account("kofi")
    path = f"/@{streamer.username}"
    desk = await visitors.browse(path, streamer, WIDE)
    phone = await visitors.browse(path, viewer, PHONE)
    yield Meeting(visitors, streamer, viewer, desk, phone)


@pytest_asyncio.fixture(loop_scope="session")
async def meeting(visitors: Visitors) -> AsyncIterator[Meeting]:
    async with meeting_at(visitors) as meeting:
        yield meeting


async def say(person: Person, slug: str, text: str) -> tuple[int, Any]:
    """Over the API, as a program."""
    return await person.api("POST", f"/channels/{slug}/chat", {"text": text})


async def kept(person: Person, slug: str) -> list[str]:
    """The lines that the server has."""
    _, answer = await person.api("GET", f"/channels/{slug}/chat")
    return [event["text"] for event in answer["events"] if event["kind"] == "message"]


async def tool(line: Locator, name: str) -> None:
    """One of the buttons on a line under the mouse."""
    await line.hover()
    await line.get_by_role("button", name=name, exact=True).click()


async def menu_of(line: Locator) -> Locator:
    await tool(line, "More")
    menu = line.page.get_by_role("menu")
    await expect(menu).to_be_visible()
    return menu


def blocked(page: Page) -> Locator:
    """What stands in the composer's place."""
    return page.locator(".chat-blocked")


# talking ------------------------------------------------------------------------------------------


async def test_what_is_written_is_there_once_for_both(meeting: Meeting) -> None:
    await write(meeting.phone, "good evening")
    await write(meeting.desk, "welcome in")
    for text in ("good evening", "welcome in"):
        await meeting.see(text)
    await expect(field(meeting.phone)).to_have_value("")
    for page in (meeting.desk, meeting.phone):
        await page.reload()
    for text in ("good evening", "welcome in"):
        await meeting.see(text)
    assert sorted(await kept(meeting.viewer, meeting.slug)) == ["good evening", "welcome in"]


async def test_a_reply_shows_what_it_answers(meeting: Meeting) -> None:
    await write(meeting.phone, "which brush is that?")
    question = lines(meeting.desk, "which brush is that?")
    await tool(question, "Reply")
    await write(meeting.desk, "a flat one")
    await meeting.see("a flat one")
    for page in (meeting.desk, meeting.phone):
        quote = lines(page, "a flat one").locator(".line-reply")
        await expect(quote).to_contain_text(f"@{meeting.viewer.username} which brush is that?")

    # On a phone a tap on the line opens its menu.
    await lines(meeting.phone, "a flat one").locator(".line-text").tap()
    await meeting.phone.get_by_role("menuitem", name="Reply").tap()
    await write(meeting.phone, "thank you")
    await meeting.see("thank you")
    quote = lines(meeting.desk, "thank you").locator(".line-reply")
    await expect(quote).to_contain_text(f"@{meeting.streamer.username} a flat one")


async def test_a_mention_is_marked_and_spoken_and_other_lines_are_not(meeting: Meeting) -> None:
    phone, name = meeting.phone, meeting.viewer.username
    await write(meeting.desk, "before")
    await meeting.see("before")
    await hear(phone)
    for text in ("hello all", f"@{name} have a look", "and so on"):
        await write(meeting.desk, text)
        await meeting.see(text)
    await expect(lines(phone, "have a look").locator(".mention-me")).to_have_text(f"@{name}")
    marked = await lines(phone, "have a look").evaluate("e => getComputedStyle(e).backgroundColor")
    plain = await lines(phone, "hello all").evaluate("e => getComputedStyle(e).backgroundColor")
    assert marked != plain
    await phone.wait_for_function("() => window.heard.length > 0")
    streamer = meeting.streamer.username
    assert await heard(phone) == [f"{streamer} mentions you: @{name} have a look"]


async def test_markup_stays_text_everywhere(meeting: Meeting) -> None:
    bad = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
    status, answer = await meeting.streamer.api(
        "PATCH",
        f"/channels/{meeting.slug}",
        {"name": "<b>Mira</b><script>1</script>", "title": bad[:140], "description": bad},
    )
    assert status == 200, answer
    await write(meeting.phone, bad)
    await meeting.see(bad)
    for page in (meeting.desk, meeting.phone):
        await expect(lines(page, bad).locator(".line-text > *")).to_have_count(0)
        await page.reload()
        await expect(lines(page, bad)).to_have_count(1)
        await expect(page.get_by_role("heading", level=1)).to_have_text(bad[:140])
        await expect(page.locator("main img[src$='/x']")).to_have_count(0)
        assert await page.title() != "hacked"


async def test_the_same_person_in_two_tabs_sees_their_line_once_in_each(meeting: Meeting) -> None:
    second = await meeting.phone.context.new_page()
    await second.goto(meeting.path)
    await write(second, "from my other tab")
    await meeting.see("from my other tab")
    await expect(lines(second, "from my other tab")).to_have_count(1)
    await expect(on_the_way(second)).to_have_count(0)


async def test_an_emote_of_the_channel(meeting: Meeting) -> None:
    await write(meeting.desk, "soon there is an emote")
    await meeting.see("soon there is an emote")
    url = meeting.streamer.base.join(URL(f"/api/v1/channels/{meeting.slug}/emotes/brush"))
    headers = {"Authorization": f"Bearer {meeting.streamer.token}", "Content-Type": "image/png"}
    async with meeting.streamer.http.put(url, data=pictures.png(), headers=headers) as response:
        assert response.status in {200, 201}, await response.text()
    await write(meeting.phone, "look :brush: here")
    for page in (meeting.desk, meeting.phone):
        image = lines(page, "here").locator("img.emote")
        await expect(image).to_have_attribute("alt", ":brush:")
        await expect(image).to_have_js_property("complete", value=True)
        assert await image.evaluate("e => e.naturalWidth") > 0


async def test_announcements_stand_out_and_are_spoken(meeting: Meeting) -> None:
    await write(meeting.phone, "hello")
    await meeting.see("hello")
    await hear(meeting.phone)
    await write(meeting.desk, "/announce good Break of five minutes")
    for page in (meeting.desk, meeting.phone):
        await expect(page.locator(".line-announcement")).to_contain_text("Break of five minutes")
    await meeting.phone.wait_for_function("() => window.heard.length > 0")
    said = f"Announcement by {meeting.streamer.username}: Break of five minutes"
    assert await heard(meeting.phone) == [said]


# looking after it ---------------------------------------------------------------------------------


async def test_a_removed_line_stays_as_removed_for_both(meeting: Meeting) -> None:
    for text in ("a fine line", "an awful line"):
        await write(meeting.phone, text)
        await meeting.see(text)
    await tool(lines(meeting.desk, "an awful line"), "Remove")
    for page in (meeting.desk, meeting.phone):
        await expect(lines(page, "removed by a moderator")).to_have_count(1)
        await expect(lines(page, "an awful line")).to_have_count(0)
        await page.reload()
        await expect(lines(page, "removed by a moderator")).to_have_count(1)
        await expect(lines(page, "a fine line")).to_have_count(1)
        assert "awful" not in await page.content()


async def test_a_time_out_holds_wherever_the_viewer_writes(meeting: Meeting) -> None:
    phone, slug = meeting.phone, meeting.slug
    await write(phone, "an awful line")
    await meeting.see("an awful line")
    menu = await menu_of(lines(meeting.desk, "an awful line"))
    await menu.get_by_role("menuitem", name="Time out for 10 minutes").click()

    await expect(blocked(phone)).to_contain_text("10 minutes")
    await expect(field(phone)).to_be_hidden()
    await expect(lines(phone, "removed by a moderator")).to_have_count(1)
    second = await phone.context.new_page()
    await second.goto(meeting.path)
    await phone.reload()
    elsewhere = await meeting.visitors.browse(f"/popout/{slug}/chat", meeting.viewer)
    for page in (phone, second, elsewhere):
        await expect(blocked(page)).to_contain_text(re.compile(r"another (10|9) minutes"))
        await expect(field(page)).to_be_hidden()
    status, answer = await say(meeting.viewer, slug, "as a program then")
    assert (status, answer["error"]["code"]) == (403, "timed_out")

    await write(meeting.desk, f"/untimeout {meeting.viewer.username}")
    for page in (phone, second, elsewhere):
        await expect(field(page)).to_be_visible()
    await write(second, "sorry")
    await meeting.see("sorry")


async def test_a_short_time_out_ends_by_itself(meeting: Meeting) -> None:
    await write(meeting.phone, "hm")
    await meeting.see("hm")
    await write(meeting.desk, f"/timeout {meeting.viewer.username} 5s slow down")
    await expect(blocked(meeting.phone)).to_contain_text(re.compile("another .*slow down"))
    await expect(field(meeting.phone)).to_be_visible(timeout=SLOW_MS)
    await write(meeting.phone, "calm again")
    await meeting.see("calm again")


async def test_a_new_account_is_told_what_it_waits_for(meeting: Meeting) -> None:
    await write(meeting.desk, "/accountage 7d")
    await expect(blocked(meeting.phone)).to_contain_text("account must be 7 days old")
    await expect(blocked(meeting.phone)).to_contain_text("another 7 days")


async def test_a_ban_holds_and_is_lifted(meeting: Meeting) -> None:
    phone = meeting.phone
    await write(phone, "an awful line")
    await meeting.see("an awful line")
    menu = await menu_of(lines(meeting.desk, "an awful line"))
    ban = menu.get_by_role("menuitem").last
    await expect(ban).to_contain_text("Ban")
    await ban.click()
    await ban.click()  # it asks once more in its own place
    await expect(blocked(phone)).to_contain_text("banned")
    second = await phone.context.new_page()
    await second.goto(meeting.path)
    await phone.reload()
    for page in (phone, second):
        await expect(blocked(page)).to_contain_text("banned")
        await expect(field(page)).to_be_hidden()
        await expect(lines(page, "removed by a moderator")).to_have_count(1)
    await write(meeting.desk, "the banned one still reads this")
    await expect(lines(phone, "the banned one still reads this")).to_have_count(1)
    status, answer = await say(meeting.viewer, meeting.slug, "as a program then")
    assert (status, answer["error"]["code"]) == (403, "banned")
    await write(meeting.desk, f"/unban {meeting.viewer.username}")
    await expect(field(phone)).to_be_visible()


async def test_slow_mode_makes_viewers_wait_and_moderators_not(meeting: Meeting) -> None:
    await write(meeting.desk, "/slow 30")
    rules = meeting.phone.get_by_role("list", name="Rules in force")
    await expect(rules).to_contain_text("Slow mode, 30 seconds")
    await write(meeting.phone, "one")
    await meeting.see("one")
    send = meeting.phone.locator(".chat-send")
    await expect(send).to_have_accessible_name(re.compile(r"Wait (\d\d|\d) seconds?"))
    before = int(await send.inner_text())
    await write(meeting.phone, "two")
    await expect(field(meeting.phone)).to_have_value("two")
    await expect(send).not_to_have_text(str(before), timeout=SLOW_MS)
    assert int(await send.inner_text()) < before <= 30
    status, answer = await say(meeting.viewer, meeting.slug, "as a program then")
    assert (status, answer["error"]["code"]) == (429, "rate_limited")
    await meeting.phone.reload()
    await expect(send).to_have_accessible_name(re.compile(r"Wait \d+ seconds?"))
    for text in ("mine", "and mine"):
        await write(meeting.desk, text)
        await meeting.see(text)
    await write(meeting.desk, "/slow off")
    await expect(send).to_have_accessible_name("Send")
    await write(meeting.phone, "two")
    await meeting.see("two")


async def test_a_pinned_line_is_there_for_who_comes_later(meeting: Meeting) -> None:
    await write(meeting.phone, "the recipe is below")
    await meeting.see("the recipe is below")
    menu = await menu_of(lines(meeting.desk, "the recipe is below"))
    await menu.get_by_role("menuitem", name="Pin", exact=False).click()
    late = await meeting.visitors.browse(meeting.path)
    for page in (meeting.desk, meeting.phone, late):
        await expect(page.locator(".chat-pinned")).to_contain_text("the recipe is below")
    await meeting.desk.get_by_role("button", name="Unpin").click()
    for page in (meeting.desk, meeting.phone, late):
        await expect(page.locator(".chat-pinned")).to_be_hidden()


async def test_who_is_made_a_moderator_can_act_at_once(meeting: Meeting) -> None:
    other = await meeting.visitors.account("rahim")
    await write(meeting.phone, "hello")
    await meeting.see("hello")
    await write(meeting.desk, f"/mod {meeting.viewer.username}")
    await say(other, meeting.slug, "an awful line")
    await expect(lines(meeting.phone, "an awful line")).to_have_count(1)
    await lines(meeting.phone, "an awful line").locator(".line-text").tap()
    menu = meeting.phone.get_by_role("menu")
    await menu.get_by_role("menuitem", name="Time out for 10 minutes").tap()
    await expect(lines(meeting.desk, "removed by a moderator")).to_have_count(1)
    status, answer = await say(other, meeting.slug, "and again")
    assert (status, answer["error"]["code"]) == (403, "timed_out")
    # … but not on who stands above.
    await write(meeting.desk, "I am the owner")
    await expect(lines(meeting.phone, "I am the owner")).to_have_count(1)
    await lines(meeting.phone, "I am the owner").locator(".line-text").tap()
    await expect(menu.get_by_role("menuitem", name="Reply")).to_be_visible()
    await expect(menu.get_by_role("menuitem", name=re.compile("Time out|Ban"))).to_have_count(0)


async def test_a_moderator_needs_no_mouse(meeting: Meeting) -> None:
    desk = meeting.desk
    await write(meeting.phone, "an awful line")
    await meeting.see("an awful line")
    await desk.reload()

    async def tab_to(target: Locator, key: str) -> None:
        for _ in range(TABS_MAX):
            if await target.evaluate("e => e === document.activeElement"):
                return
            await desk.keyboard.press(key)
        raise AssertionError(f"{TABS_MAX} times {key} and not there")

    await tab_to(desk.get_by_role("link", name="Skip to chat"), "Tab")
    await desk.keyboard.press("Enter")
    await tab_to(field(desk), "Tab")
    await desk.keyboard.type("please stop that")
    await desk.keyboard.press("Enter")
    await meeting.see("please stop that")
    await tab_to(desk.get_by_role("log"), "Shift+Tab")
    await desk.keyboard.press("ArrowUp")
    await desk.keyboard.press("ArrowUp")
    await expect(desk.locator(".line:focus")).to_contain_text("an awful line")
    await desk.keyboard.press("Enter")
    wanted = desk.get_by_role("menuitem", name="Time out for 10 minutes")
    await expect(desk.get_by_role("menuitem").first).to_be_focused()
    await tab_to(wanted, "ArrowDown")
    await desk.keyboard.press("Enter")
    await expect(blocked(meeting.phone)).to_contain_text("10 minutes")
    await expect(desk.get_by_role("menu")).to_be_hidden()
    await expect(desk.locator("#announcer")).to_contain_text(meeting.viewer.username)


# reading only -------------------------------------------------------------------------------------


async def test_who_is_not_logged_in_reads_and_is_led_to_the_login(meeting: Meeting) -> None:
    await write(meeting.phone, "hello there")
    await meeting.see("hello there")
    page = await meeting.visitors.browse(meeting.path)
    await expect(lines(page, "hello there")).to_have_count(1)
    await expect(field(page)).to_be_hidden()
    await write(meeting.phone, "still here")
    await expect(lines(page, "still here")).to_have_count(1)
    await page.get_by_role("link", name="Log in to chat").click()
    await page.get_by_label("Username").fill(meeting.viewer.username)
    await page.get_by_role("textbox", name="Password").fill(PASSWORD)
    await page.locator("main").get_by_role("button", name="Log in").click()
    await expect(page).to_have_url(re.compile(re.escape(meeting.path) + "$"))
    await write(page, "and now I write")
    await meeting.see("and now I write")


# connections that break ---------------------------------------------------------------------------


@asynccontextmanager
async def own_server(browser: Browser, folder: Path) -> AsyncIterator[tuple[Site, Meeting]]:
    """A server that may be stopped and started, and the two at it."""
    site = Site(folder, limits={"REGISTER_PER_ADDRESS_BURST": 1000})
    await asyncio.to_thread(site.start)
    visitors = Visitors(browser, site)
    try:
        async with meeting_at(visitors) as meeting:
            yield site, meeting
    finally:
        await visitors.aclose()
        assert await asyncio.to_thread(site.stop) == 0
    assert visitors.complaints == []
    assert site.serious() == []


async def test_what_was_written_while_the_server_was_away_comes_once(
    browser: Browser, tmp_path: Path
) -> None:
    async with own_server(browser, tmp_path) as (site, meeting):
        phone = meeting.phone
        await write(phone, "before")
        await meeting.see("before")
        await asyncio.to_thread(site.stop)
        lost = phone.get_by_role("alert").filter(has_text="connection to the chat is lost")
        await expect(lost).to_be_visible(timeout=SLOW_MS)
        await write(phone, "is anybody there")
        await write(phone, "hello")
        await expect(on_the_way(phone)).to_have_count(2)
        await expect(phone.locator(".line-failed")).to_have_count(2, timeout=SLOW_MS)
        first = on_the_way(phone).filter(has_text="is anybody there")
        await first.get_by_role("button", name="Try again").click()
        await expect(lines(phone, "is anybody there")).to_have_count(0)
        await asyncio.to_thread(site.start_again)
        for text in ("is anybody there", "hello"):
            await meeting.see(text)
        await expect(phone.locator(".line-failed")).to_have_count(0)
        await expect(lost).to_be_hidden()
        assert await kept(meeting.viewer, meeting.slug) == ["before", "is anybody there", "hello"]


async def test_a_restart_loses_nothing_and_repeats_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    async with own_server(browser, tmp_path) as (site, meeting):
        desk, phone = meeting.desk, meeting.phone
        said = []
        for number in range(3):
            for page in (desk, phone):
                said.append(f"line {len(said)} of {'desk' if page is desk else 'phone'}, {number}")
                await write(page, said[-1])
                await meeting.see(said[-1])
        await phone.context.set_offline(True)
        said.append("while the phone was in a tunnel")
        await write(desk, said[-1])
        await expect(lines(desk, said[-1])).to_have_count(1)
        await asyncio.to_thread(site.stop)
        await asyncio.to_thread(site.start_again)
        for text in ("the first one after the restart", "another program's line"):
            said.append(text)
            assert (await say(meeting.streamer, meeting.slug, text))[0] in {200, 201}
        await phone.context.set_offline(False)
        await meeting.see(said[-1])
        for page in (desk, phone):
            shown = await lines(page).locator(".line-text").all_inner_texts()
            assert shown == said
        said.append("and on we go")
        await write(phone, said[-1])
        await meeting.see(said[-1])
        assert await kept(meeting.viewer, meeting.slug) == said
        for page in (desk, phone):
            await page.reload()
            await expect(lines(page).locator(".line-text")).to_have_text(said)


async def test_an_answer_that_is_lost_on_the_way_makes_no_second_line(visitors: Visitors) -> None:
    """The server writes the line, the page never hears of it, and sends it again."""
    streamer, viewer = await visitors.streamer("mira"), await visitors.account("kofi")
    slug = streamer.username
    page = await visitors.browse("/login", viewer)
    is_deaf = False
    routes: list[WebSocketRoute] = []

    def lossy(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        routes.append(route)
        server.on_message(lambda message: None if is_deaf else route.send(message))

    await page.route_web_socket("**/socket.io/**", lossy)
    await page.goto(f"/@{slug}")
    await write(page, "before")
    await expect(lines(page, "before")).to_have_count(1)
    is_deaf = True
    await write(page, "did you get that?")
    async with asyncio.timeout(20):
        while "did you get that?" not in await kept(viewer, slug):
            await asyncio.sleep(0.1)
    await expect(on_the_way(page)).to_have_count(1)
    is_deaf = False
    await routes[-1].close()
    await expect(lines(page, "did you get that?")).to_have_count(1, timeout=SLOW_MS)
    await expect(on_the_way(page)).to_have_count(0, timeout=SLOW_MS)
    assert await kept(viewer, slug) == ["before", "did you get that?"]


# layout -------------------------------------------------------------------------------------------


async def test_comments_on_the_picture_on_and_off(meeting: Meeting) -> None:
    desk = meeting.desk
    comments = desk.locator("live-player .comment")
    button = desk.locator(".chat-head").get_by_role("button", name="Comments on the picture")
    await write(meeting.phone, "beside the chat only")
    await meeting.see("beside the chat only")
    await expect(comments).to_have_count(0)
    await button.click()
    await write(meeting.phone, "on the picture too")
    await expect(comments).to_have_text(f"{meeting.viewer.username} on the picture too")
    assert await comments.evaluate("e => getComputedStyle(e).pointerEvents") == "none"
    await button.click()
    await expect(comments).to_have_count(0)
    await write(meeting.phone, "off again")
    await meeting.see("off again")
    await expect(comments).to_have_count(0)


async def test_theatre_and_hidden_chat_stay_as_they_were_left(meeting: Meeting) -> None:
    desk = meeting.desk
    await desk.locator("live-player").focus()
    await desk.keyboard.press("t")
    for _ in range(2):
        player = await desk.locator("live-player").bounding_box()
        chat = await desk.locator("live-chat").bounding_box()
        assert player
        assert chat
        assert (player["x"], player["y"], player["height"]) == (0, 0, 900)
        assert player["width"] + chat["width"] == pytest.approx(1440, abs=1)
        await desk.reload()
    await desk.locator("live-player").focus()
    await desk.keyboard.press("t")
    await desk.get_by_role("button", name="Hide chat").click()
    await desk.reload()
    await expect(desk.get_by_role("log")).to_be_hidden()
    await write(meeting.phone, "said behind a closed door")
    await desk.get_by_role("button", name="Show chat").click()
    await expect(lines(desk, "said behind a closed door")).to_be_visible()
    await write(desk, "I have opened it")
    await meeting.see("I have opened it")


async def test_a_phone_with_its_keyboard_open(meeting: Meeting) -> None:
    phone = meeting.phone
    for number in range(15):
        await say(meeting.streamer, meeting.slug, f"line {number}")
    await expect(lines(phone, "line 14")).to_have_count(1)
    await field(phone).tap()
    await phone.set_viewport_size({"width": 390, "height": 480})  # what a keyboard leaves
    player, log = phone.locator("live-player"), phone.get_by_role("log")
    await expect(field(phone)).to_be_in_viewport(ratio=1)
    await expect(player).to_be_in_viewport(ratio=1)
    await expect(lines(phone, "line 14")).to_be_in_viewport(ratio=1)
    boxes = [await part.bounding_box() for part in (player, log, field(phone))]
    for above, below in pairwise(boxes):
        assert above
        assert below
        assert above["y"] + above["height"] <= below["y"] + 1
    await write(phone, "written with two thumbs")
    await meeting.see("written with two thumbs")
    await expect(lines(phone, "written with two thumbs")).to_be_in_viewport(ratio=1)
