"""Every page in every case: it loads without a complaint, fits a phone, and works by keyboard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from accessibility import faults
from gallery import Scene
from gallery_pages import PAGES, card, live_view
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]

CASES = [(f"{path}?case={case}") for path, _template, cases in PAGES.values() for case in cases]
SHIFT_MAX = 0.01


@pytest.mark.parametrize("path", CASES)
async def test_page_is_sound(open_page: Open, path: str) -> None:
    page = await open_page(path, 390, 844)
    await page.wait_for_load_state("networkidle") if "api" in path else None
    facts = await page.evaluate(
        """() => {
          const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
          return {
            overflow: document.documentElement.scrollWidth - innerWidth,
            headings: document.querySelectorAll('h1').length,
            twice: ids.filter((id, i) => ids.indexOf(id) !== i),
            title: document.title,
            skip: document.querySelector('a').getAttribute('href'),
          };
        }"""
    )
    assert facts["overflow"] <= 0
    assert facts["headings"] >= 1
    assert facts["twice"] == []
    assert "Lantern" in facts["title"]
    assert facts["skip"] in {"#main", "#player"}


@pytest.mark.parametrize(
    "path", ["/?case=many", "/?case=one", "/@mira?case=live&chat=rendered", "/studio?chat=rendered"]
)
async def test_nothing_jumps_while_it_loads(open_page: Open, path: str) -> None:
    page = await open_page(path)
    await page.wait_for_timeout(1200)
    shift = await page.evaluate(
        """() => new Promise(done => {
          let sum = 0;
          new PerformanceObserver(list => {
            for (const entry of list.getEntries()) sum += entry.value;
          }).observe({type: 'layout-shift', buffered: true});
          setTimeout(() => done(sum), 200);
        })"""
    )
    assert shift <= SHIFT_MAX


@pytest.mark.parametrize("path", ["/?case=many", "/@mira?case=offline", "/studio", "/login"])
async def test_page_reads_without_javascript(open_page: Open, path: str) -> None:
    page = await open_page(path, java_script_enabled=False)
    await expect(page.locator("h1")).to_be_visible()
    await expect(page.locator("button[data-copy-button]:visible")).to_have_count(0)
    await expect(page.locator(".player-bar:visible")).to_have_count(0)


async def test_a_long_balance_leaves_the_sites_name_its_room(open_page: Open) -> None:
    for width, is_there in ((390, False), (1440, True)):
        page = await open_page("/wallet?case=some", width, 844)
        name = page.locator(".brand span")
        await expect(page.locator(".header-wallet")).to_be_visible(visible=is_there)
        assert await name.evaluate("name => name.scrollWidth <= name.clientWidth")
        await page.locator(".site-header [data-menu] summary").click()
        await expect(page.get_by_role("link", name="Wallet · Rp12,500,000.00")).to_be_visible()


async def test_theme_is_switched_at_once_and_kept(open_page: Open) -> None:
    page = await open_page("/?case=many")
    await page.get_by_role("button", name="Light").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.wait_for_load_state("networkidle")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")


async def test_watch_page_is_dark_unless_light_was_chosen(open_page: Open) -> None:
    page = await open_page("/@mira?case=offline", color_scheme="light")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_notice_is_spoken_once(open_page: Open) -> None:
    page = await open_page("/studio/mira/connect?case=keys")
    await expect(page.locator(".notice-bar")).to_have_text("Saved.")
    await expect(page.locator("#announcer")).to_have_text("Saved.")
    await expect(page.get_by_role("status").filter(has_text="Saved.")).to_have_count(1)


async def test_a_notice_moves_nothing_and_goes_when_the_stream_changes(open_page: Open) -> None:
    page = await open_page("/studio/mira/connect?case=keys")
    notice = page.locator("[data-notice]")
    top = "document.querySelector('.studio').getBoundingClientRect().top"
    before = await page.evaluate(top)
    change = """state => document.dispatchEvent(
      new CustomEvent("live-view", {detail: {view: {state}}}))"""
    await page.evaluate(change, "starting")
    await expect(notice).to_be_visible()
    await page.evaluate(change, "live")
    await expect(notice).to_have_count(0)
    assert await page.evaluate(top) == before


ACCENTS = (
    *("#000000", "#ffffff", "#808080", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#00ffff"),
    *("#ff00ff", "#ff8800", "#88ff00", "#0088ff", "#ff0088", "#8800ff", "#00ff88", "#123456"),
)
CONTRAST_MIN = 4.5


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_any_accent_stays_readable(open_page: Open, theme: str) -> None:
    """As painted: colours outside the screen's range are what formulas get wrong."""
    page = await open_page("/login", color_scheme=theme)
    found = await page.evaluate(
        """accents => {
          const canvas = document.createElement('canvas')
            .getContext('2d', {willReadFrequently: true});
          const sample = document.body.appendChild(document.createElement('i'));
          const luminance = token => {
            sample.style.color = `var(${token})`;
            canvas.fillStyle = getComputedStyle(sample).color;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(v => {
              v /= 255;
              return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const contrast = (a, b) => {
            const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
            return (light + 0.05) / (dark + 0.05);
          };
          return ['', ...accents].map(accent => {
            if (accent) document.documentElement.style.setProperty('--site-accent', accent);
            return [accent, Object.fromEntries([
              ['--on-accent', '--accent'], ['--on-accent', '--accent-hover'],
              ['--accent', '--bg'], ['--accent', '--surface'], ['--accent-hover', '--surface'],
            ].map(pair => [pair.join(' on '), contrast(...pair)]))];
          });
        }""",
        ACCENTS,
    )
    assert len(found) == len(ACCENTS) + 1
    low = {
        f"{accent}: {pair}": round(contrast, 2)
        for accent, pairs in found
        for pair, contrast in pairs.items()
        if contrast < CONTRAST_MIN
    }
    assert low == {}


async def test_the_theme_switch_keeps_its_words_on_one_line(open_page: Open) -> None:
    for width in (1440, 390, 320):
        page = await open_page("/?case=many", width=width)
        heights = await page.locator(".theme-switch button").evaluate_all(
            "buttons => buttons.map(b => b.getBoundingClientRect().height)"
        )
        assert len(heights) == 3
        assert max(heights) < 34, width


async def test_copy_button_copies_and_says_so(open_page: Open) -> None:
    page = await open_page(
        "/studio?case=welcome", permissions=["clipboard-read", "clipboard-write"]
    )
    await page.get_by_role("button", name="Copy stream key").click()
    await expect(page.get_by_role("button", name="Copy stream key")).to_have_text("Copied")
    await expect(page.locator("#announcer")).to_have_text("Stream key copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "sk_7f3kq2mzx8w4hn5vb6ty"


async def test_revoking_asks_first(open_page: Open) -> None:
    page = await open_page("/studio/mira/connect?case=keys")
    await page.get_by_role("button", name="Revoke Phone").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Revoke “Phone”?")
    await dialog.get_by_role("button", name="Keep it").click()
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="Revoke Phone").click()
    async with page.expect_request("**/studio/mira/keys/k2/revoke") as request:
        await dialog.get_by_role("button", name="Revoke").click()
    assert (await request.value).method == "POST"


async def test_address_follows_the_name_until_edited(open_page: Open) -> None:
    page = await open_page("/setup?case=account")
    await page.get_by_label("Name", exact=True).fill("Café Noir 24")
    await expect(page.get_by_label("Address")).to_have_value("cafe-noir-24")
    await page.get_by_label("Address").fill("noir")
    await page.get_by_label("Name", exact=True).fill("Other")
    await expect(page.get_by_label("Address")).to_have_value("noir")


async def test_studio_turns_green_when_the_encoder_connects(open_page: Open, scene: Scene) -> None:
    scene.live = {"state": "offline"}
    page = await open_page("/studio?case=welcome")
    status = page.locator(".studio-state-text")
    await expect(status).to_have_text("Waiting for your encoder", use_inner_text=True)
    scene.live = live_view("starting")
    await expect(status).to_have_text("Connected, the picture is on its way", use_inner_text=True)
    await expect(page.locator("[data-studio-state]")).to_have_attribute(
        "data-studio-state", "starting"
    )
    scene.live = {"state": "offline"}


async def test_home_freshens_cards_and_offers_new_streams(open_page: Open, scene: Scene) -> None:
    page = await open_page("/?case=two")
    scene.streams = [card(0, viewers=5), card(3)]
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    first, second = page.locator("article.card").nth(0), page.locator("article.card").nth(1)
    await expect(first).to_contain_text("5 viewers")
    await expect(second).to_contain_text("Ended")
    await expect(page.locator("[data-arrivals]")).to_contain_text("Small Builds is live. Show")


@pytest.mark.parametrize("path", [case for case in CASES if "api" not in case])
async def test_page_is_accessible(open_page: Open, axe: str, path: str) -> None:
    page = await open_page(path, reduced_motion="reduce")
    await page.wait_for_timeout(200)
    many = "patterns" in path  # shows the same parts many times
    assert await faults(page, axe, **{"landmark-unique": {"enabled": not many}}) == []
