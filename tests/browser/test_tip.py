"""Giving from the watch page: the dialog of a tip, adding money on the way, and nothing lost."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from accessibility import faults
from playwright.async_api import Browser, Page, expect
from visitors import PHONE, WIDE, close

from tests.functional.money_people import fund, verify
from tests.functional.platform_site import PASSWORD, Site, running_site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@dataclass
class Town:
    """A site where alice may be tipped, and windows in which bob is logged in."""

    site: Site
    folder: Path
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def window(self, size: tuple[int, int], name: str = "bob") -> Page:
        width, height = size
        context = await self.browser.new_context(
            viewport={"width": width, "height": height},
            base_url=self.site.server.url,
            reduced_motion="reduce",
        )
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto("/login")
        await page.fill("#field-username", name)
        await page.fill("#field-password", PASSWORD)
        await page.click("main .button-primary")
        await page.wait_for_url(lambda url: "/login" not in url)
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def town(browser: Browser, tmp_path: Path) -> AsyncIterator[Town]:
    async with running_site(tmp_path) as site:
        await site.streamer("alice")
        await site.member("bob")
        await verify(tmp_path, "alice")
        made = Town(site, tmp_path, browser)
        yield made
        for context in browser.contexts:
            await close(context)
    assert made.complaints == []


async def test_a_tip_is_given_in_place(town: Town) -> None:
    await fund(town.folder, "bob", 1_000)
    page = await town.window(WIDE)
    await page.goto("/@alice")
    await page.click("[data-tip-link]")
    dialog = page.locator("dialog.tip-dialog")
    await expect(dialog.get_by_role("heading", name="Tip alice")).to_be_focused()
    await expect(dialog.locator("button.button-primary")).to_have_text("Give $2.00")
    await dialog.get_by_label("Another amount").fill("2.5")
    await expect(dialog.locator("button.button-primary")).to_have_text("Give $2.50")
    assert await dialog.locator("[name=choice]:checked").count() == 0, "one or the other"
    await dialog.get_by_label("Message").fill("<b>Hello</b>")
    await expect(dialog.locator("[data-counter]")).to_have_text("12 of 250")
    await dialog.locator("button.button-primary").click()
    await expect(dialog.get_by_role("heading", name="Thank you")).to_be_focused()
    await expect(dialog).to_contain_text("alice has your tip of $2.50")
    await expect(page.locator(".site-header .badge[data-balance]")).to_have_text("$7.50")
    await expect(page.locator("live-chat")).to_contain_text("<b>Hello</b>")
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-tip-link]")).to_be_focused()
    assert page.url.endswith("/@alice"), "the stream went on"


async def test_what_is_wrong_is_said_in_the_dialog(town: Town) -> None:
    await fund(town.folder, "bob", 1_000)
    page = await town.window(PHONE)
    await page.goto("/@alice")
    await page.click("[data-tip-link]")
    dialog = page.locator("dialog.tip-dialog")
    give = dialog.locator("button.button-primary")
    await dialog.get_by_label("Another amount").fill("0.50")
    await give.click()
    await expect(dialog.get_by_role("alert")).to_contain_text("smallest tip here is $1.00")
    await dialog.get_by_label("Another amount").fill("1.005")
    await give.click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Write an amount")
    await dialog.get_by_label("Another amount").fill("1")
    await page.route("**/api/v1/channels/alice/tips", lambda route: route.abort())
    await give.click()
    await expect(dialog.get_by_role("alert")).to_contain_text("given only once")
    await page.unroute("**/api/v1/channels/alice/tips")
    await give.click()
    await expect(dialog.get_by_role("heading", name="Thank you")).to_be_visible()


async def test_money_is_added_on_the_way_and_nothing_is_lost(town: Town) -> None:
    page = await town.window(WIDE)
    await page.goto("/@alice")
    await page.click("[data-tip-link]")
    dialog = page.locator("dialog.tip-dialog")
    await dialog.get_by_label("Another amount").fill("7")
    await dialog.get_by_label("Message").fill("Für dich & alle 😀")
    await dialog.get_by_label("Without my name").check()
    await dialog.get_by_role("link", name="Add money and come back").click()
    await expect(page.get_by_text("waits, as you wrote it")).to_be_visible()
    await page.get_by_role("button", name="Go on to pay").click()
    await page.wait_for_url("**/sandbox/**")
    await page.get_by_role("button", name=re.compile("^Pay")).first.click()
    await page.wait_for_url("**/payments/**")
    await expect(page.get_by_text("is in your wallet")).to_be_visible(timeout=15_000)
    await page.get_by_role("link", name="To your wallet").click()
    await page.get_by_role("link", name="Go on").click()
    await expect(page.get_by_label("Another amount")).to_have_value("7")
    await expect(page.get_by_label("Message")).to_have_value("Für dich & alle 😀")
    await expect(page.get_by_label("Without my name")).to_be_checked()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desk", "phone"])
async def test_axe_finds_no_fault(town: Town, axe: str, size: tuple[int, int]) -> None:
    await fund(town.folder, "bob", 1_000)
    page = await town.window(size)
    await page.goto("/@alice")
    await page.click("[data-tip-link]")
    await page.locator("dialog.tip-dialog").wait_for()
    found = {"dialog": await faults(page, axe)}
    await page.locator("dialog.tip-dialog button.button-primary").click()
    await page.get_by_role("link", name="See the receipt").click()
    found["receipt"] = await faults(page, axe)
    month = "2026-01"
    for path in ("/wallet", "/@alice/tip", f"/wallet/statement/{month}"):
        await page.goto(path)
        found[path] = await faults(page, axe)
    studio = await town.window(size, "alice")
    for path in ("/studio/alice/supporters", "/studio/alice/giving", "/@alice/tip"):
        await studio.goto(path)
        found[f"alice{path}"] = await faults(studio, axe)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
