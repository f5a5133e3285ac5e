"""Alerts in a real browser: one at a time, each once, whatever their givers write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from accessibility import faults
from playwright.async_api import Browser, Page, expect
from visitors import close

from tests.functional.giving import Till, running_till
from tests.functional.platform_site import Person

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
SHORT = {"duration_ms": 2_000, "animation": "none"}


@dataclass
class Scene:
    """Alice's channel, people with money, and pages of theirs; none of which may complain."""

    till: Till
    alice: Person
    browser: Browser
    token: str
    contexts: list[Any] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str, person: Person | None = None, **options: Any) -> Page:
        options.setdefault("viewport", {"width": 800, "height": 450})
        context = await self.browser.new_context(base_url=str(self.till.site.base), **options)
        self.contexts.append(context)
        if person is not None:
            jar = person.http.cookie_jar
            url = str(self.till.site.base)
            await context.add_cookies([{"name": c.key, "value": c.value, "url": url} for c in jar])
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda m: m.type == "error" and self.complaints.append(m.text))
        await page.goto(path)
        return page

    async def overlay(self, part: str = "alerts") -> Page:
        page = await self.open(f"/overlay/{self.token}/{part}")
        await page.wait_for_selector("html[data-joined]", state="attached")
        return page

    async def state(self, alert_id: str) -> str:
        _, answer = await self.alice.api("GET", "/channels/alice/alerts")
        return str({one["id"]: one["alert"] for one in answer["alerts"]}[alert_id])


@pytest_asyncio.fixture(loop_scope="session")
async def scene(browser: Browser, tmp_path: Path) -> AsyncIterator[Scene]:
    async with running_till(tmp_path) as till:
        alice = await till.streamer()
        await till.site.member("bob")
        _, answer = await alice.api("GET", "/channels/alice/overlay-token")
        status, _ = await alice.api("POST", "/channels/alice/alert-looks", SHORT)
        assert status == 201
        await alice.api("PATCH", "/channels/alice/alert-setup", {"gap_ms": 0})
        scene = Scene(till, alice, browser, answer["token"])
        yield scene
        for context in scene.contexts:
            await close(context)
        assert scene.complaints == []


async def test_alerts_wait_for_each_other(scene: Scene) -> None:
    page = await scene.overlay()
    await page.evaluate(
        """() => {
          globalThis.most = 0;
          globalThis.seen = [];
          new MutationObserver(() => {
            const all = [...document.querySelectorAll(".alert")];
            globalThis.most = Math.max(globalThis.most, all.length);
            const fresh = all.map((one) => one.dataset.id).filter((id) => !seen.includes(id));
            seen.push(...fresh);
          }).observe(document.querySelector(".overlay-alerts"), { childList: true });
        }"""
    )
    given = [await scene.till.tip("bob", "alice", 500, f"number {n}") for n in range(3)]
    await expect(page.locator(".alert-message")).to_have_text("number 0")
    assert await page.locator(".alert").count() == 1
    await expect(page.locator(".alert-message")).to_have_text("number 2", timeout=15_000)
    await expect(page.locator(".alert")).to_have_count(0, timeout=10_000)
    assert await page.evaluate("globalThis.most") == 1
    assert await page.evaluate("globalThis.seen") == [one.id for one in given]


async def test_what_came_while_it_was_closed_shows_once(scene: Scene) -> None:
    given = await scene.till.tip("bob", "alice", 500, "while you were away")
    page = await scene.overlay()
    await expect(page.locator(".alert-name")).to_have_text("bob")
    await expect(page.locator(".alert-amount")).to_have_text("$5.00")
    await expect(page.locator(".alert-message")).to_have_text("while you were away")
    async with asyncio.timeout(10):
        while await scene.state(given.id) != "shown":
            await asyncio.sleep(0.05)
    page = await scene.overlay()
    await expect(page.locator(".alert")).to_have_count(0)


async def test_what_people_write_is_text_within_bounds(scene: Scene) -> None:
    page = await scene.overlay()
    title = await page.title()
    for message in (HOSTILE, "🎉" * 250, "مرحبا بكم \u0645\u0633\u0627\u0621 " * 12, "W" * 250):
        given = await scene.till.tip("bob", "alice", 500, message.strip()[:250])
        alert = page.locator(f".alert[data-id={given.id}]")
        await expect(alert).to_be_visible(timeout=10_000)
        assert await alert.locator(".alert-message").text_content() == message.strip()[:250]
        assert await alert.locator("img, script").count() == 0
        box = await alert.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 800
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 450
    assert await page.title() == title


async def test_skip_and_test_reach_the_screen(scene: Scene) -> None:
    page = await scene.overlay()
    await scene.alice.api("POST", "/channels/alice/alerts/test", {"amount_minor": 700})
    await expect(page.locator(".alert-amount")).to_have_text("$7.00")
    given = await scene.till.tip("bob", "alice", 500, "skip me")
    assert (await scene.alice.api("POST", "/channels/alice/alerts/skip"))[0] == 204
    await expect(page.locator(".alert-amount")).to_have_text("$5.00")
    await scene.alice.api("POST", f"/channels/alice/alerts/{given.id}/skip")
    await expect(page.locator(".alert")).to_have_count(0)


async def test_a_tip_stands_in_the_chat_and_on_top_of_it(scene: Scene) -> None:
    page = await scene.open("/@alice", viewport={"width": 1280, "height": 800})
    await page.wait_for_selector("live-chat[data-joined]")
    given = await scene.till.tip("bob", "alice", 2_500, HOSTILE)
    line = page.locator(".line-tip")
    await expect(line.locator(".money")).to_have_text("$25.00")
    await expect(line.locator(".line-text")).to_have_text(HOSTILE)
    await expect(page.locator(".tip-chip")).to_have_text("bob$25.00")
    await expect(page.locator("#announcer")).to_contain_text("bob gave $25.00")
    await expect(page.locator("[data-support] .tippers")).to_have_text("bob$25.00")
    await page.reload()
    await page.wait_for_selector("live-chat[data-joined]")
    await expect(page.locator(f"[data-tip={given.id}] .tip-chip")).to_be_visible()
    line_id = await page.locator(".line-tip").get_attribute("data-id")
    status, _ = await scene.alice.api("DELETE", f"/channels/alice/chat/{line_id}")
    assert status == 200
    await expect(page.locator(".line-tip .line-removed")).to_be_visible()
    await expect(page.locator(".chat-tips")).to_be_hidden()


async def test_tips_of_every_size_can_be_read(scene: Scene, axe: str) -> None:
    await scene.till.site.member("zoe")
    for times in (1, 2, 5, 10, 20):
        await scene.till.tip("zoe" if times % 2 else "bob", "alice", times * 100, "hello")
    for width in (390, 1440):
        size = {"width": width, "height": 900}
        page = await scene.open("/@alice", viewport=size, reduced_motion="reduce")
        await expect(page.locator(".tip-chip")).to_have_count(4)
        await expect(page.locator(".line-tip")).to_have_count(5)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await faults(page, axe) == []


async def test_the_studio_follows_and_decides(scene: Scene) -> None:
    await scene.alice.api("PATCH", "/channels/alice/alert-setup", {"approves_first": True})
    size = {"width": 1280, "height": 900}
    studio = await scene.open("/studio/alice/alerts", scene.alice, viewport=size)
    await expect(studio.locator("[data-overlays]")).to_have_text("Not open in OBS")
    overlay = await scene.overlay()
    await expect(studio.locator("[data-overlays]")).to_have_text("OBS is connected")
    await scene.till.tip("bob", "alice", 500, "please")
    queue = studio.locator("#alert-queue")
    await expect(queue).to_contain_text("please")
    await queue.get_by_role("button", name="Approve").click()
    await expect(overlay.locator(".alert-message")).to_have_text("please")
    await expect(studio.locator("#alert-given")).to_contain_text("Shown")
    await expect(queue).to_contain_text("Nothing waits")


async def test_the_goal_follows_and_celebrates(scene: Scene) -> None:
    goal = {"title": "Paint", "target_minor": 1_000}
    await scene.alice.api("PUT", "/channels/alice/goal", goal)
    page = await scene.overlay("goal")
    await expect(page.locator("[data-goal-percent]")).to_have_text("0 %")
    await scene.till.tip("bob", "alice", 500)
    await expect(page.locator("[data-goal-percent]")).to_have_text("50 %")
    assert await page.locator(".goal-reached").count() == 0
    await scene.till.tip("bob", "alice", 500)
    await expect(page.locator(".goal-reached")).to_be_visible()
    await expect(page.locator("[data-goal-raised]")).to_have_text("$10.00")
