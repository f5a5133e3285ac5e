"""A streamer's whole path as people walk it: from a mailed code to an appeal.

tests/functional/test_streamers_path.py walks it by API alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from test_live import demo_publisher, until
from visitors import PHONE, Visitors

from tests import documents
from tests.functional.platform_site import PASSWORD
from tests.functional.site import ADMIN, Channel, Site
from tests.functional.site import PASSWORD as ADMIN_PASSWORD
from tests.mailbox import Mailbox

pytestmark = [
    pytest.mark.browser,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

NAME, EMAIL = "walker", "walker@example.org"


async def log_in(page: Page, name: str, password: str) -> None:
    await page.goto("/login")
    await page.get_by_label("Username or email").fill(name)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_label(f"Your account: {name}")).to_be_visible()


async def test_from_a_mailed_code_to_an_appeal(
    town: Site, visitors: Visitors, tmp_path: Path
) -> None:
    walker = await visitors.browse("/register", size=PHONE)
    viewer = await visitors.account("watcher")
    admin = await visitors.browse("/")
    await log_in(admin, ADMIN, ADMIN_PASSWORD)

    await register(walker, Mailbox(town.storage))
    await walker.get_by_label(f"Your account: {NAME}").click()
    await walker.get_by_role("button", name="Log out").click()
    await log_in(walker, NAME, PASSWORD)

    channel = await make_channel(walker, town)
    await ask_for_verification(walker, tmp_path / "licence.pdf")
    await approve(admin)
    await walker.goto("/settings/streamer")
    await expect(walker.get_by_text("We have seen who you are")).to_be_visible()

    async with demo_publisher(channel):
        await town.wait_state(channel.slug, "live", 60)
        watching = await visitors.browse(f"/@{channel.slug}", viewer)
        await until(watching, "stats.state === 'live'", 60)
        await report(watching)
        await warn(admin)
        await walker.goto("/appeal")
        await expect(walker.get_by_text("Warned: ")).to_be_visible()

        await watching.goto(f"/@{channel.slug}")
        await until(watching, "stats.state === 'live'", 60)
        await ban(admin)
        # The picture is gone, for who is watching and for who comes.
        await until(watching, "stats.state !== 'live' && stats.state !== 'playing'", 20)
    response = await watching.goto(f"/@{channel.slug}")
    assert response is not None
    assert response.status == 404

    await log_in(walker, NAME, PASSWORD)  # every device was logged out
    await appeal(walker)
    await admin.goto("/admin/reports/appeals")
    await admin.get_by_label(f"Open the appeal of {NAME}").click()
    await admin.get_by_label("Your answer").fill("You are right. Sorry!")
    await admin.get_by_role("button", name="Lift the ban").click()
    await walker.goto("/")
    await expect(walker.get_by_text("Your account is banned")).to_have_count(0)
    response = await watching.goto(f"/@{channel.slug}")
    assert response is not None
    assert response.status == 200


async def register(page: Page, mailbox: Mailbox) -> None:
    await page.get_by_label("Username", exact=True).fill(NAME)
    await page.get_by_label("Email", exact=True).fill(EMAIL)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Make account").click()
    letter = await mailbox.letter(EMAIL)
    await page.get_by_label("Code", exact=True).fill("12345678")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text("That code is wrong or too old.")).to_be_visible()
    await page.get_by_label("Code", exact=True).fill(f"{letter.code[:4]} {letter.code[4:]}")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_label(f"Your account: {NAME}")).to_be_visible()


async def make_channel(page: Page, town: Site) -> Channel:
    """A channel with the rules accepted, and a stream key from its page."""
    await page.goto("/studio/new")
    await page.get_by_label("Channel name").fill("Walks")
    for box in await page.get_by_role("checkbox").all():
        await box.check()
    await page.get_by_role("button", name="Make channel").click()
    await page.wait_for_url("**/studio/walks**")
    await page.goto("/studio/walks/connect")
    await page.get_by_placeholder("Which encoder").fill("Phone")
    await page.get_by_role("button", name="Make key").click()
    key = await page.locator("#stream-key").input_value()
    return Channel(
        "walks",
        key,
        "",
        f"rtmp://127.0.0.1:{town.rtmp_port}/live/{key}",
        f"{town.url}/live/walks/index.m3u8",
    )


async def ask_for_verification(page: Page, document: Path) -> None:
    document.write_bytes(documents.pdf())
    await page.goto("/settings/streamer")
    await page.get_by_label("Your legal name").fill("Wanda Walker")
    await page.get_by_label("Documents", exact=True).set_input_files(document)
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("Your request is with the admins")).to_be_visible()


async def approve(admin: Page) -> None:
    await admin.goto("/admin/verification")
    await admin.get_by_label(f"Open the request of {NAME}").click()
    await admin.get_by_role("button", name="Approve").click()
    await admin.wait_for_url("**/admin/verification")


async def report(page: Page) -> None:
    await page.get_by_role("link", name="Report").click()
    await page.get_by_label("What is wrong").select_option(index=1)
    await page.get_by_label("More about it").fill("Look at minute two.")
    await page.get_by_role("button", name="Send report").click()
    await expect(page.locator("[data-notice]")).to_be_visible()


async def warn(admin: Page) -> None:
    await admin.goto("/admin/reports")
    await admin.get_by_label("Open the report of").first.click()
    await expect(admin.get_by_alt_text("The picture when it was reported")).to_be_visible()
    await admin.get_by_label("What to do").select_option("warned")
    await admin.get_by_label("In your own words, to whom it concerns").fill("Please mark adverts.")
    await admin.get_by_role("button", name="Decide").click()
    await expect(admin.locator("[data-notice]")).to_be_visible()


async def ban(admin: Page) -> None:
    await admin.goto(f"/admin/users/{NAME}/sanctions")
    await admin.get_by_label("Reason").select_option(index=1)
    await admin.get_by_label("In your own words").fill("Again, after the warning.")
    await admin.get_by_role("button", name="Ban").click()
    await expect(admin.locator("[data-notice]")).to_be_visible()


async def appeal(page: Page) -> None:
    await page.get_by_role("link", name="See why, and appeal").click()
    await page.get_by_label("Why should the ban be lifted?").fill("They were not adverts.")
    await page.get_by_role("button", name="Send appeal").click()
    await expect(page.get_by_role("heading", name="Your appeal")).to_be_visible()
