"""Money as people see it: a viewer, a streamer and an overlay at once, and what the books say.

tests/functional/test_platform_payments.py and test_platform_payouts.py go the same ways by HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from visitors import PHONE, WIDE, close

from tests.functional.platform_site import Person, Site, admin_of, running_site
from tests.functional.test_platform_payments import balance, rows
from tests.functional.test_platform_payouts import streamer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@dataclass
class Street:
    """A site whose earnings mature at once, and windows into it."""

    site: Site
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def window(
        self, path: str, person: Person | None = None, size: tuple[int, int] = WIDE
    ) -> Page:
        """At `path`, logged in as `person`."""
        width, height = size
        context = await self.browser.new_context(
            viewport={"width": width, "height": height},
            base_url=str(self.site.base),
            reduced_motion="reduce",
        )
        if person is not None:
            await context.add_cookies(
                [
                    {"name": cookie.key, "value": cookie.value, "url": str(self.site.base)}
                    for cookie in person.http.cookie_jar
                ]
            )
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(path)
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def street(browser: Browser, tmp_path: Path) -> AsyncIterator[Street]:
    async with running_site(tmp_path, money={"maturity_days": 0}) as site:
        site.storage = tmp_path / "storage"  # type: ignore[attr-defined]
        made = Street(site, browser)
        yield made
        for context in browser.contexts:
            await close(context)
    assert made.complaints == []


async def overlay_of(street: Street, person: Person) -> Page:
    status, answer = await person.api("GET", "/channels/alice/overlay-token")
    assert status == 200, answer
    return await street.window(f"/overlay/{answer['token']}/alerts", size=(1280, 720))


async def add_money(page: Page, button: str) -> None:
    """Twenty dollars, by a button of the sandbox."""
    await page.goto("/wallet")
    await page.get_by_label("$20.00", exact=True).check()
    await page.get_by_role("button", name="Go on to pay").click()
    await page.get_by_role("button", name=button).click()
    await expect(page.get_by_text("is in your wallet")).to_be_visible()


async def test_from_the_wallet_to_the_screen(street: Street, tmp_path: Path) -> None:
    alice = await streamer(street.site)
    viewer = await street.window("/wallet", await street.site.member("bob"))
    overlay = await overlay_of(street, alice)
    studio = await street.window("/studio/alice/alerts", alice, PHONE)
    await add_money(viewer, "Pay, and tell it five times")
    assert balance(street.site, "wallet") == 2_000, "five callbacks pay once"

    watching = await street.window("/@alice")
    await viewer.goto("/@alice")
    await viewer.click("[data-tip-link]")
    dialog = viewer.locator("dialog.tip-dialog")
    await dialog.get_by_label("Another amount").fill("5")
    await dialog.get_by_label("Message").fill("For the blue boat")
    await dialog.locator("button.button-primary").click()
    await asyncio.gather(
        expect(dialog.get_by_role("heading", name="Thank you")).to_be_visible(),
        expect(overlay.get_by_text("For the blue boat")).to_be_visible(),
        expect(overlay.get_by_text("bob")).to_be_visible(),
        expect(watching.locator("live-chat .line", has_text="For the blue boat")).to_contain_text(
            "$5.00"
        ),
    )
    await overlay.screenshot(path=tmp_path / "alert.png", omit_background=True)
    await expect(studio.get_by_text("For the blue boat").first).to_be_visible()
    assert balance(street.site, "wallet") == 1_500
    earned = balance(street.site, "earnings_pending") + balance(street.site, "earnings_available")
    assert earned == 390
    assert balance(street.site, "commission") == 110
    await overlay.reload()
    await watching.reload()
    await expect(watching.locator("live-chat .line", has_text="For the blue boat")).to_be_visible()
    await expect(overlay.get_by_text("For the blue boat")).to_have_count(0)


async def test_a_transfer_that_the_streamer_has_seen(street: Street) -> None:
    alice = await streamer(street.site)
    overlay = await overlay_of(street, alice)
    studio = await street.window("/studio/alice/giving", alice)
    await studio.get_by_label("Take bank transfers").check()
    await studio.get_by_label("Where to send it").fill("IBAN DE02 1203 0000 0000 2020 51")
    await studio.get_by_role("button", name="Save").click()
    await expect(studio.locator("[data-notice]")).to_be_visible()

    guest = await street.window("/@alice/donate", size=PHONE)
    await guest.get_by_label("Another amount").fill("30")
    await guest.get_by_label("Message").fill("From my bank")
    await guest.get_by_label("Your name").fill("Grandmother")
    await guest.locator("[name=gateway][value=transfer]").check()
    await guest.get_by_role("button", name="Donate").click()
    await expect(guest.get_by_text("DE02 1203")).to_be_visible()
    await expect(overlay.get_by_text("From my bank")).to_have_count(0)

    await studio.goto("/studio/alice/transfers")
    await studio.get_by_role("button", name="$30.00 from Grandmother came").click()
    await expect(overlay.get_by_text("From my bank")).to_be_visible()
    await expect(overlay.get_by_text("Grandmother")).to_be_visible()
    assert balance(street.site, "direct_received") == 3_000
    await studio.goto("/studio/alice/earnings")
    await expect(studio.get_by_text("can't be withdrawn")).to_be_visible()
    assert balance(street.site, "earnings_available") == 0


async def test_what_was_earned_reaches_the_bank(street: Street) -> None:
    boss, alice = await admin_of(street.site), await streamer(street.site)
    viewer = await street.window("/wallet", await street.site.member("bob"))
    for _ in range(2):
        await add_money(viewer, "Pay $20.00")
    await viewer.goto("/@alice/tip")
    await viewer.get_by_label("Another amount").fill("40")
    await viewer.get_by_role("button", name="Give").click()
    await expect(viewer.get_by_text("$40.00").first).to_be_visible()
    while not rows(street.site, "SELECT 1 FROM contribution WHERE matured_at_ms IS NOT NULL"):
        await asyncio.sleep(0.05)

    studio = await street.window("/studio/alice/earnings", alice)
    await studio.get_by_label("Account holder").fill("Alice Example")
    await studio.get_by_label("IBAN or account number").fill("DE89 3704 0044 0532 0130 00")
    await studio.get_by_label("Bank", exact=True).fill("Example Bank")
    await studio.get_by_label("Country of the bank").fill("DE")
    await studio.get_by_role("button", name="Save").click()
    await studio.get_by_role("button", name="Ask for a payout").click()
    await expect(studio.get_by_text("$31.20 are on their way")).to_be_visible()

    admin = await street.window("/admin/payouts", boss)
    await admin.get_by_label("Open the payout of alice").click()
    await admin.get_by_role("button", name="Show the bank details").click()
    await expect(admin.get_by_text("DE89370400440532013000")).to_be_visible()
    await admin.get_by_label("The bank's reference").fill("E2E-20261121")
    await admin.get_by_role("button", name="I have sent it").click()
    await expect(admin.locator("[data-notice]")).to_be_visible()
    await studio.reload()
    await expect(studio.get_by_text("E2E-20261121")).to_be_visible()
    assert balance(street.site, "payout_hold") == 0
    assert balance(street.site, "bank") == 3_120
    await admin.goto("/admin/books")
    await admin.get_by_role("button", name="Check now").click()
    await expect(admin.get_by_text("The books add up.")).to_be_visible()
