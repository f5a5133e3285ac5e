"""The studio in a browser: what scripts add to forms that work without them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from gallery import Scene
from gallery_pages import live_view
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]


async def test_saving_leaves_the_picture_alone(open_page: Open) -> None:
    page = await open_page("/studio?case=live&chat=quiet")
    await page.evaluate("document.querySelector('live-player').dataset.mine = 'yes'")
    title = page.get_by_label("Title")
    await title.fill("Ink tonight")
    await title.press("Enter")
    await expect(page.locator("#announcer")).to_have_text("Saved.")
    await expect(page.locator("live-player[data-mine]")).to_have_count(1)
    await expect(title).to_be_focused()
    await expect(page).to_have_url("/studio?case=live&chat=quiet")


async def test_a_mistake_is_shown_and_said_in_place(open_page: Open) -> None:
    page = await open_page("/studio?case=held")
    await page.get_by_label("Title").fill("wrong")
    await page.get_by_role("button", name="Save").click()
    sentence = "Say in a few words why the stream is not for everybody."
    await expect(page.locator("#error-not_general_reason")).to_have_text(sentence)
    await expect(page.locator("#announcer")).to_have_text(sentence)
    await expect(page.get_by_role("textbox", name="Reason")).to_be_focused()


async def test_a_reason_is_asked_for_when_it_is_needed(open_page: Open) -> None:
    page = await open_page("/studio?case=held", java_script_enabled=False)
    reason = page.get_by_role("textbox", name="Reason")
    await expect(reason).to_be_hidden()
    await page.get_by_label("Not for general audiences").check()
    await expect(reason).to_be_visible()


async def test_the_list_turns_green_step_by_step(open_page: Open, scene: Scene) -> None:
    scene.live = {"state": "offline"}
    page = await open_page("/studio?case=welcome")
    done = page.locator("[data-checks] .done")
    await expect(done).to_have_count(0)
    await expect(page.get_by_role("heading", name="Connect your encoder")).to_be_visible()
    scene.live = live_view("held")
    await expect(page.locator("[data-check=encoder]")).to_have_class("done", timeout=5000)
    await expect(page.get_by_role("button", name="Go live")).to_be_visible()
    await expect(page.get_by_role("heading", name="Connect your encoder")).to_be_hidden()
    scene.live = live_view("live")
    await expect(page.locator("[data-check=live]")).to_contain_text("done", timeout=10_000)
    await expect(page.get_by_role("button", name="End stream")).to_be_visible()
    await expect(page.get_by_role("button", name="Go live")).to_be_hidden()
    scene.live = {"state": "offline"}


async def test_health_and_activity_come_by_themselves(open_page: Open) -> None:
    page = await open_page("/studio?case=live")
    await expect(page.locator("[data-fact=keyframes]")).to_have_text("every 8.3 s")
    await expect(page.locator(".advice p:visible")).to_contain_text("Keyframes come every 8.3 s.")
    feed = page.locator("[data-feed] li")
    await expect(feed.first).to_contain_text("follows you")
    await expect(feed.last).to_contain_text("You went live")


async def test_an_encoder_that_drops_moves_nothing(open_page: Open) -> None:
    page = await open_page("/studio?case=live")
    await expect(page.locator("[data-fact=fps]")).to_have_text("30 a second")
    checks = page.locator(".desk-checks")
    await checks.locator("li").evaluate_all("all => all.forEach(li => li.classList.add('done'))")
    await expect(checks).to_be_hidden()
    bar = page.locator(".studio-state")
    before = await bar.bounding_box()
    await page.evaluate(
        """async () => {
          const view = {state: "reconnecting", viewers: 1284, started_at_ms: Date.now() - 9e6,
            audio_codec: "mp4a.40.2"};
          document.dispatchEvent(new CustomEvent("live-view", {detail: {view}}));
          const {href} = document.querySelector("link[href$='studio-facts.js']");
          const {showFacts} = await import(href);
          showFacts({state: "reconnecting", verdict: "bad", advice: "Your encoder has dropped.",
            bitrate_bps: 4e6, fps: 30, width: 1280, height: 720});
        }"""
    )
    await expect(bar.get_by_text("Your encoder dropped")).to_be_visible()
    after = await bar.bounding_box()
    assert before
    assert after
    assert after["height"] == before["height"]
    await expect(checks).to_be_hidden()
    await expect(page.locator("[data-fact=fps], [data-fact=bitrate]")).to_have_text(["–", "–"])


async def test_charts_have_tables_and_follow_the_theme(open_page: Open) -> None:
    page = await open_page("/studio/mira/health?case=live", color_scheme="dark")
    charts = page.locator("[data-chart]")
    await expect(charts).to_have_count(6)
    await expect(page.locator("[data-chart] canvas")).to_have_count(6)
    inked = """unlike => {
      const chart = document.querySelector("[data-chart=bitrate] canvas");
      const {width, height} = chart;
      const {data} = chart.getContext('2d').getImageData(0, 0, width, height);
      let sum = 0;
      for (let i = 0; i < data.length; i += 4) sum += data[i + 3] ? data[i] : 0;
      return sum !== unlike && sum;
    }"""
    dark = await (await page.wait_for_function(inked, arg=0)).json_value()
    await page.get_by_role("button", name="Light", exact=True).click()
    await page.wait_for_function(inked, arg=dark)
    latency = page.locator("[data-chart=latency]")
    await latency.locator("summary").click()
    rows = latency.get_by_role("row")
    await expect(rows.nth(25)).to_be_visible()
    assert await rows.count() <= 33
    await expect(rows.first).to_contain_text("95 of 100")
    await expect(rows.nth(1)).to_contain_text(" s")


async def test_times_and_zone_are_the_browsers(open_page: Open) -> None:
    page = await open_page("/studio/mira/schedule?case=none", timezone_id="Asia/Dhaka")
    await expect(page.get_by_label("Time zone")).to_have_value("Asia/Dhaka")
    page = await open_page(
        "/studio/mira/schedule?case=some", timezone_id="Asia/Dhaka", locale="en-GB"
    )
    first = page.locator("time[data-moment]").first
    written = await first.evaluate("e => [e.textContent, Number(e.dataset.moment)]")
    assert "UTC" not in written[0]
    minutes = written[1] // 60_000 + 6 * 60
    assert written[0].endswith(f"{minutes // 60 % 24:02}:{minutes % 60:02}")


@pytest.mark.parametrize("path", ["/studio?case=live", "/studio/mira/settings"])
async def test_the_way_round_by_keyboard_and_on_a_phone(open_page: Open, path: str) -> None:
    page = await open_page(path, 390, 844)
    box = await page.locator(".studio-nav [aria-current]").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    await page.locator(".studio-nav a").first.focus()
    after_the_first = (
        "Chat",
        "Health",
        "Schedule",
        "Teams",
        "Overlays",
        "Alerts",
        "Supporters",
        "Tips & donations",
        "Transfers",
        "Earnings",
        "Webhooks",
        "Connect",
        "Settings",
    )
    for name in after_the_first:
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_text(name)
    await page.locator(".studio-switch summary").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="The Lab")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="The Lab")).to_be_hidden()
    await expect(page.locator(".studio-switch summary")).to_be_focused()


async def test_ending_asks_first(open_page: Open) -> None:
    page = await open_page("/studio?case=live")
    await page.get_by_role("button", name="End stream").click()
    dialog = page.get_by_role("dialog", name="End your stream?")
    await dialog.get_by_role("button", name="Stay live").click()
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="End stream").click()
    async with page.expect_request("**/studio/mira/end") as request:
        await dialog.get_by_role("button", name="End stream").click()
    assert (await request.value).method == "POST"
