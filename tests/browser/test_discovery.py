"""Pages to find streams by: times of the reader's own clock, follows, what starts in a category."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from gallery import Scene
from gallery_pages import card
from playwright.async_api import Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]

CLOCK = r"\d{2}:\d{2}"
DAY = r"(Today|Tomorrow|[A-Z][a-z]+day|[A-Z][a-z]{2} \d+ [A-Z][a-z]{2})"


@pytest.mark.parametrize(
    ("locale", "clock"), [("de-DE", CLOCK), ("en-GB", CLOCK), ("en-US", r"\d+:\d{2}.[AP]M")]
)
async def test_times_stand_in_the_readers_zone(open_page: Open, locale: str, clock: str) -> None:
    page = await open_page("/@mira/schedule", timezone_id="Asia/Kolkata", locale=locale)
    await expect(page.locator("[data-zone]")).to_have_text(
        re.compile(r"In your time zone, Asia/(Kolkata|Calcutta)\.")
    )
    line = page.locator(".slots li").nth(1)
    # gallery entries begin on a whole hour UTC, which is half past there
    half_past = clock.replace(r"\d{2}", "30", 1) if "AP" in clock else r"\d{2}:30"
    await expect(line.locator("p")).to_have_text(
        re.compile(rf"{half_past}.–.{half_past}.·.Outdoors$")
    )
    iso = await line.locator("time.leaf").get_attribute("datetime")
    local = await page.evaluate("iso => new Date(iso).getDate()", iso)
    await expect(line.locator("time.leaf b")).to_have_text(str(local))


async def test_days_have_names(open_page: Open) -> None:
    page = await open_page("/@mira/schedule", timezone_id="Pacific/Auckland", locale="de-DE")
    texts = await page.locator(".slots p time:first-child").all_inner_texts()
    assert len(texts) == 7
    for text in texts:
        assert re.fullmatch(rf"{DAY}, {CLOCK}", re.sub("^([A-Z][a-z]{2}), ", r"\1 ", text)), text


async def test_without_javascript_times_are_utc(open_page: Open) -> None:
    page = await open_page("/@mira/schedule", java_script_enabled=False, timezone_id="Asia/Kolkata")
    await expect(page.locator("[data-zone]")).to_have_text("Times are in UTC.")
    span = page.locator(".slots p").first
    await expect(span).to_have_text(re.compile(r", \d\d:00.– \d\d:00 UTC\b"))
    await expect(page.get_by_role("button", name="Follow Mira Paints")).to_be_visible()
    await expect(page.get_by_role("link", name="Add to calendar")).to_be_visible()


async def test_following_stays_on_the_page(open_page: Open) -> None:
    page = await open_page("/@mira/schedule")
    asked: list[str] = []

    async def answer(route: Route) -> None:
        asked.append(route.request.method)
        await route.fulfill(json={"follows": True, "followers": 1205})

    await page.route("**/api/v1/channels/mira/follow", answer)
    await page.get_by_role("button", name="Follow Mira Paints").click()
    following = page.get_by_role("button", name="Following Mira Paints. Unfollow")
    await expect(following).to_be_visible()
    await expect(page.locator("#announcer")).to_have_text("You follow Mira Paints")
    await following.click()
    await expect(page.get_by_role("button", name="Follow Mira Paints")).to_be_visible()
    assert asked == ["PUT", "DELETE"]
    assert page.url.endswith("/@mira/schedule")


async def test_a_category_offers_its_own_streams_only(open_page: Open, scene: Scene) -> None:
    page = await open_page("/category/art?case=one")
    offer = page.locator("[data-arrivals]")

    async def told(*streams: dict[str, Any]) -> None:
        scene.streams = list(streams)
        async with page.expect_response("**/api/v1/live"):
            await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    await told(card(0), card(1))
    await expect(page.locator("article.card")).to_contain_text("1,284 viewers")
    await expect(offer).to_be_hidden()
    await told(card(0), card(3, category="Art", category_slug="art"))
    await expect(offer).to_contain_text("Small Builds is live. Show")


async def test_cards_follow_what_a_stream_is_about(open_page: Open, scene: Scene) -> None:
    page = await open_page("/?case=two")
    first = page.locator("article.card").first
    await expect(first.locator("[data-about]")).to_contain_text("Art")
    hostile = "<img src=x onerror=alert(1)>"
    scene.streams = [
        card(0, category="Music", category_slug="music", tags=[hostile], age_restricted=True),
        card(1),
    ]
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(first.locator("[data-about] a")).to_have_attribute("href", "/category/music")
    await expect(first.locator(".tag")).to_have_text(hostile)
    await expect(first.locator("[data-flags]")).to_have_text("18+")
    await expect(first).to_have_attribute("data-veiled", "")


async def test_a_card_leads_to_its_stream_and_to_its_category(open_page: Open) -> None:
    page = await open_page("/?case=two")
    first = page.locator("article.card").first
    await first.get_by_role("link", name="Art").click()
    await expect(page).to_have_url(re.compile("/category/art$"))
    await page.go_back()
    box = await first.locator(".thumb").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(page).to_have_url(re.compile("/@mira$"))


async def test_the_tabs_by_keyboard(open_page: Open) -> None:
    page = await open_page("/@mira/schedule")
    tabs = page.get_by_role("navigation", name="Channel").get_by_role("link")
    assert await tabs.all_inner_texts() == ["About", "Videos", "Schedule"]
    await expect(tabs.nth(2)).to_have_attribute("aria-current", "page")
    await tabs.nth(1).focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/@mira/videos$"))
    await expect(page.get_by_role("heading", name="No videos yet")).to_be_visible()
