"""Axe finds no fault on any page of a real site with life in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from accessibility import faults
from lively import Lively
from playwright.async_api import Browser, Page
from visitors import PHONE, WIDE, Visitors

from tests.functional.site import MakeSite

pytestmark = [
    pytest.mark.browser,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

FOR_VISITORS = (
    "/",
    "/@mira",
    "/@kofi-cooks",
    "/@mira/schedule",
    "/@mira/videos",
    "/@kofi-cooks/schedule",
    "/category",
    "/category/art",
    "/popout/mira/chat",
    "/embed/mira",
    "/embed/kofi-cooks",
    "/embed/mira/chat",
    "/login",
    "/register",
    "/rules",
    "/team/night-owls",
    "/api/events",
    "/nowhere",
)
FOR_STREAMERS = (
    "/@mira",
    "/studio/new",
    "/studio/mira/settings",
    "/settings/streamer",
    "/team/night-owls/manage",
    "/notices",
    "/settings/notifications",
    "/wallet",
    "/@kofi-cooks/tip",
    "/@kofi-cooks/donate",
    *(
        f"/studio/mira{page}"
        for page in (
            "",
            "/chat",
            "/health",
            "/schedule",
            "/teams",
            "/overlays",
            "/alerts",
            "/supporters",
            "/giving",
            "/transfers",
            "/earnings",
            "/webhooks",
            "/connect",
            "/settings",
        )
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lively(
    browser: Browser, make_site: MakeSite, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lively]:
    site = make_site(
        config={"site": {"name": "Lantern", "description": "For everybody."}},
        limits={"REGISTER_PER_ADDRESS_BURST": 1000},
    )
    visitors = Visitors(browser, site, numbered=False)
    town = Lively(site, visitors)
    folder: Path = tmp_path_factory.mktemp("scenes")
    try:
        await town.fill()
        await town.call("mira", "POST", "/channels/mira/blocked-words", {"word": "spam"})
        await town.call("mira", "PATCH", "/channels/mira/chat/rules", {"slow_s": 5})
        owls = {"channel": "mira", "slug": "night-owls", "name": "Night Owls"}
        await town.call("mira", "POST", "/teams", owls)
        restricted = {"username": "noor", "seconds": 3600, "reason": "shouting"}
        await town.call("mira", "POST", "/channels/mira/restrictions", restricted)
        async with town.on_air(folder, "mira"):
            yield town
    finally:
        await visitors.aclose()
    assert visitors.complaints == []


async def all_faults(page: Page, axe: str, paths: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for path in paths:
        await page.goto(path)
        if await page.locator("live-chat").count():
            await page.locator("live-chat[data-joined]").first.wait_for()
        await page.wait_for_timeout(200)  # what moves has come to rest
        if wrong := await faults(page, axe):
            found[path] = wrong
    return found


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desk", "phone"])
async def test_pages_for_everybody(lively: Lively, axe: str, size: tuple[int, int]) -> None:
    for name in (None, "joan"):
        person = lively.people[name] if name else None
        page = await lively.visitors.browse("/", person, size, reduced_motion="reduce")
        assert await all_faults(page, axe, FOR_VISITORS) == {}
        await page.context.close()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desk", "phone"])
async def test_pages_for_streamers(lively: Lively, axe: str, size: tuple[int, int]) -> None:
    page = await lively.visitors.browse("/", lively.people["mira"], size, reduced_motion="reduce")
    entries = (await lively.call("mira", "GET", "/channels/mira/schedule"))["entries"]
    overlay = await lively.call("mira", "GET", "/channels/mira/overlay-token")
    dock = await lively.call("mira", "POST", "/channels/mira/dock-tokens", {"name": "Studio PC"})
    paths = (
        *FOR_STREAMERS,
        f"/studio/mira/schedule/{entries[0]['id']}",
        f"/overlay/{overlay['token']}/chat",
        f"/overlay/{overlay['token']}/alerts?test=1",
        f"/overlay/{overlay['token']}/goal?test=1",
        f"/overlay/{overlay['token']}/top?test=1",
        f"/dock/{dock['token']}",
    )
    assert await all_faults(page, axe, paths) == {}
    await page.context.close()
