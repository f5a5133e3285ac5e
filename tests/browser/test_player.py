"""The player against a real live playlist: it plays, follows the server's word, and recovers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from gallery import Scene
from gallery_pages import live_view
from playwright.async_api import Page, Request, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]

SHOWS_MS = 10_000


async def stats(page: Page) -> dict[str, Any]:
    figures: dict[str, Any] = await page.evaluate("document.querySelector('live-player').stats")
    return figures


async def hears(page: Page, scene: Scene, state: str, **changes: Any) -> None:
    """Lets the server say something new, and the page ask for it now."""
    scene.live = live_view(state, **changes)
    await page.evaluate("document.querySelector('live-player').poll.now()")


async def shows(page: Page, state: str, timeout: float = SHOWS_MS) -> None:
    await expect(page.locator("live-player")).to_have_attribute(
        "data-state", state, timeout=timeout
    )


@pytest.fixture
def on_air(scene: Scene, picture: Path) -> Scene:
    scene.media = picture
    scene.live = live_view("live")
    return scene


async def test_it_plays_with_sound_at_the_live_edge(on_air: Scene, open_page: Open) -> None:
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    before = await stats(page)
    await page.wait_for_timeout(4000)
    after = await stats(page)
    assert after["currentTime"] - before["currentTime"] > 3.5
    assert after["stalls"] == 0
    assert after["decodedAudioBytes"] > before["decodedAudioBytes"]
    assert after["decodedVideoFrames"] > before["decodedVideoFrames"]
    assert 0 < after["latencyMs"] < 10_000
    live_button = page.locator("media-live-button")
    await expect(live_button).to_have_attribute("mediatimeislive", "")
    await page.locator("live-player").focus()
    await page.keyboard.press("ArrowLeft")
    await expect(live_button).not_to_have_attribute("mediatimeislive", "")
    await page.wait_for_timeout(1500)
    assert (await stats(page))["edgeMs"] > before["edgeMs"] + 3000, "stays where the viewer went"
    await live_button.click()
    await expect(live_button).to_have_attribute("mediatimeislive", "")


async def test_blocked_sound_is_one_tap_away(on_air: Scene, open_page: Open) -> None:
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    assert (await stats(page))["muted"]
    await page.get_by_role("button", name="Tap for sound").click()
    assert not (await stats(page))["muted"]
    await expect(page.get_by_role("button", name="Tap for sound")).to_be_hidden()


async def test_volume_is_remembered(on_air: Scene, open_page: Open) -> None:
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    await page.get_by_role("button", name="Tap for sound").click()
    await page.locator("live-player").focus()
    for _ in range(4):
        await page.keyboard.press("ArrowDown")
    await page.wait_for_function("() => JSON.parse(localStorage.volume).volume < 0.81")
    await page.reload()
    await shows(page, "live")
    assert await page.evaluate("document.querySelector('video').volume") == pytest.approx(0.8)


async def test_keys_act_only_with_focus_in_the_player(on_air: Scene, open_page: Open) -> None:
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    await page.locator("body").press("k")
    await page.locator("body").press("t")
    assert not (await stats(page))["paused"]
    await page.locator("live-player").focus()
    await page.keyboard.press("k")
    await shows(page, "paused")
    await page.keyboard.press("t")
    await expect(page.locator("html")).to_have_attribute("data-theatre", "")
    await page.keyboard.press("i")
    await expect(page.get_by_role("region", name="Stream details")).to_contain_text("320 × 180")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Picture-in-picture")


async def test_one_level_has_no_quality_menu_and_no_captions_button(
    on_air: Scene, open_page: Open
) -> None:
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    await page.get_by_role("button", name="Settings", exact=True).click()
    await expect(page.get_by_role("group", name="Player settings")).to_be_visible()
    await expect(page.get_by_text("Quality")).to_be_hidden()
    await expect(page.locator("media-captions-button")).to_be_hidden()


async def test_it_follows_a_stream_from_offline_to_its_end(
    scene: Scene, picture: Path, open_page: Open
) -> None:
    scene.media = picture
    scene.live = {"state": "offline"}
    page = await open_page("/@mira?case=offline")
    await shows(page, "offline")
    await hears(page, scene, "starting")
    await shows(page, "starting")
    await expect(page.locator("[data-badge]")).to_have_text("Starting")
    await hears(page, scene, "live")
    await shows(page, "live")
    await expect(page.locator(".watch-live")).to_contain_text("1,284 viewers")
    await hears(page, scene, "reconnecting")
    await expect(page.locator("[data-chip]")).to_be_visible()
    await expect(page.locator("[data-badge]")).to_have_text("Reconnecting")
    await shows(page, "live")
    await hears(page, scene, "live")
    await expect(page.locator("[data-chip]")).to_be_hidden()
    await expect(page.locator("[data-badge]")).to_have_text("Live")
    # the last seconds still play when the server already says it is over
    await hears(page, scene, "ended")
    await shows(page, "live")
    await page.evaluate("document.querySelector('live-player video').pause()")
    await shows(page, "ended")
    await expect(page.locator(".watch-live")).to_be_hidden()
    await expect(page.locator(".watch-off")).to_have_text(re.compile("Ended *Live until just now"))
    stopped = await page.locator(".watch-live time").text_content()
    await page.wait_for_timeout(1500)
    assert await page.locator(".watch-live time").text_content() == stopped
    scene.live = {"state": "offline"}
    await page.evaluate("document.querySelector('live-player').poll.now()")
    await expect(page.locator(".watch-off")).to_have_text(
        re.compile("Offline *Live until just now")
    )


@pytest.mark.parametrize("status", [200, 404])
async def test_a_stream_that_was_taken_away_is_gone_at_once(
    on_air: Scene, open_page: Open, status: int
) -> None:
    """Its channel is hidden, or an admin has ended it: nothing that is buffered still plays."""
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    open_page.missing.append("/api/v1/channels/mira/live")  # type: ignore[attr-defined]
    on_air.live, on_air.answer_status = {"state": "offline"}, status
    await page.evaluate("document.querySelector('live-player').poll.now()")
    await shows(page, "offline")
    video = page.locator("live-player video")
    await expect(video).to_have_js_property("videoWidth", 0)
    await expect(video).not_to_have_attribute("poster", re.compile("."))
    await expect(page.locator(".watch-off")).to_contain_text("Offline")


async def test_it_waits_for_the_streamer_and_goes_on_by_itself(
    on_air: Scene, open_page: Open, picture: Path, tmp_path: Path
) -> None:
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    open_page.missing.append("/live/mira/")  # type: ignore[attr-defined]
    # the playlist stands still: what is buffered plays out
    for file in picture.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    on_air.media = tmp_path
    await hears(page, on_air, "reconnecting")
    await shows(page, "reconnecting", 20_000)
    on_air.media = picture
    await hears(page, on_air, "live")
    await shows(page, "live", 20_000)


async def test_a_lost_playlist_is_tried_again(
    scene: Scene, picture: Path, open_page: Open, tmp_path: Path
) -> None:
    scene.live = live_view("live")
    scene.media = tmp_path
    page = await open_page("/@mira?case=live")
    open_page.missing.append("/live/mira/")  # type: ignore[attr-defined]
    await shows(page, "retrying")
    await expect(page.locator("live-player").get_by_role("alert")).to_contain_text(
        "Trying again in"
    )
    scene.media = picture
    await shows(page, "live", 20_000)


async def test_a_new_broadcast_is_loaded(on_air: Scene, open_page: Open) -> None:
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    async with page.expect_response("**/index.m3u8"):
        await hears(page, on_air, "live", broadcast_id="b2")
    await shows(page, "live")
    await page.wait_for_function(
        "() => document.querySelector('live-player').stats.broadcastId === 'b2'"
    )


async def test_a_new_broadcast_is_loaded_though_the_last_one_still_plays(
    on_air: Scene, open_page: Open
) -> None:
    """The server says that it begins before there is anything of it."""
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    await hears(page, on_air, "starting", broadcast_id="b2")
    await page.wait_for_function(
        "() => document.querySelector('live-player').stats.broadcastId === 'b2'"
    )
    await page.evaluate(
        """() => {
            const player = document.querySelector("live-player");
            const load = player.sources.load.bind(player.sources);
            player.sources.load = (behindS) => {
                player.dataset.loads = "yes";
                load(behindS);
            };
        }"""
    )
    await hears(page, on_air, "live", broadcast_id="b2")
    await expect(page.locator("live-player")).to_have_attribute("data-loads", "yes")
    await shows(page, "live")


async def test_a_codec_it_cannot_play_is_named(
    scene: Scene, open_page: Open, tmp_path: Path
) -> None:
    (tmp_path / "index.m3u8").write_text(
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS="hvc1.1.6.L93.B0,mp4a.40.2"\na.m3u8\n'
    )
    scene.media = tmp_path
    page = await open_page("/@mira?case=hevc")
    await shows(page, "unsupported")
    await expect(page.locator("live-player").get_by_role("alert")).to_contain_text(
        "This browser can’t play HEVC"
    )


async def test_sound_alone_shows_the_channel(scene: Scene, sound: Path, open_page: Open) -> None:
    scene.media = sound
    page = await open_page("/@mira?case=sound")
    await shows(page, "live")
    await expect(page.locator(".player-art")).to_be_visible()
    await asyncio.sleep(1)
    assert (await stats(page))["decodedAudioBytes"] > 0


async def test_studio_previews_the_live_picture_muted(on_air: Scene, open_page: Open) -> None:
    page = await open_page("/studio?case=live")
    await shows(page, "live")
    assert (await stats(page))["muted"]
    await expect(page.locator("[data-studio-state]")).to_contain_text("You are live")
    await expect(page.get_by_role("button", name="Tap for sound")).to_be_hidden()


@pytest.mark.parametrize(("path", "mark"), [("/studio?case=live", "1"), ("/@mira?case=live", None)])
async def test_only_the_studio_preview_says_it_is_no_viewer(
    on_air: Scene, open_page: Open, path: str, mark: str | None
) -> None:
    page = await open_page(path)
    await shows(page, "live")

    def is_reload(request: Request) -> bool:
        return request.url.endswith(".m3u8") and request.resource_type == "xhr"

    async with page.expect_request(is_reload) as asked:
        pass
    assert await (await asked.value).header_value("X-Preview") == mark


async def test_theatre_mode_is_there_at_once_after_a_reload(on_air: Scene, open_page: Open) -> None:
    page = await open_page("/@mira?case=live")
    await shows(page, "live")
    button = page.get_by_role("button", name="Theatre mode")
    await page.locator("live-player").focus()
    await page.keyboard.press("t")
    await expect(button).to_have_attribute("aria-pressed", "true")
    wide = await page.locator("live-player").bounding_box()
    await page.reload(wait_until="commit")
    await expect(page.locator("html")).to_have_attribute("data-theatre", "")
    await expect(button).to_have_attribute("aria-pressed", "true")
    assert await page.locator("live-player").bounding_box() == wide
    await page.set_viewport_size({"width": 390, "height": 844})
    await expect(page.locator(".site-header")).to_be_visible()


async def test_failing_polls_slow_down_and_the_picture_plays_on(
    on_air: Scene, open_page: Open
) -> None:
    page = await open_page("/@mira?case=live")
    open_page.missing.append("/api/v1/channels/")  # type: ignore[attr-defined]
    await shows(page, "live")
    on_air.answer_status = 503
    await page.evaluate("document.querySelector('live-player').poll.now()")
    await page.wait_for_timeout(1500)
    await shows(page, "live")
    on_air.answer_status = 200


async def test_settings_fit_a_phone(on_air: Scene, open_page: Open) -> None:
    page = await open_page("/@mira?case=live", 390, 844, has_touch=True, is_mobile=True)
    await shows(page, "live")
    await page.locator("live-player").tap()
    await page.get_by_role("button", name="Settings", exact=True).click()
    panel = await page.get_by_role("group", name="Player settings").bounding_box()
    picture = await page.locator("live-player").bounding_box()
    assert panel is not None
    assert picture is not None
    assert panel["y"] >= picture["y"]
    assert panel["y"] + panel["height"] <= picture["y"] + picture["height"] + 1
    for name in ("Automatic", "Instant", "Low latency"):
        await page.get_by_role("radio", name=name).scroll_into_view_if_needed()
        await expect(page.get_by_role("radio", name=name)).to_be_in_viewport()
    await page.get_by_role("button", name="Stream details").scroll_into_view_if_needed()
    await expect(page.get_by_role("button", name="Stream details")).to_be_in_viewport()
    await expect(page.get_by_role("button", name="Keyboard")).to_be_hidden()
    await expect(page.locator(".player-panel kbd").first).to_be_hidden()


async def test_a_source_may_go_before_it_is_open(on_air: Scene, open_page: Open) -> None:
    """As when the server goes away meanwhile. An uncaught error would fail this test."""
    page = await open_page("/@mira?case=live")
    open_page.missing.append("/instant-source.js")  # type: ignore[attr-defined]
    await page.evaluate(
        """async () => {
            const url = document.querySelector("link[href$='/js/instant-source.js']").href;
            const { InstantSource } = await import(url);
            const listen = MediaSource.prototype.addEventListener;
            const opened = new Promise((resolve) => {
                MediaSource.prototype.addEventListener = function (kind, heard, options) {
                    if (kind !== "sourceopen") return listen.call(this, kind, heard, options);
                    listen.call(this, kind, (event) => {
                        resolve();
                        setTimeout(heard, 50, event);
                    }, options);
                };
            });
            const none = () => {};
            const names = ["onReady", "onPlaced", "onTrouble", "onOtherTracks", "onStall"];
            const hooks = Object.fromEntries(names.map((name) => [name, none]));
            const options = { preview: true, behindS: 0 };
            const video = document.createElement("video");
            const source = new InstantSource(video, "/live/mira/instant", options, hooks);
            source.attach();
            await opened;
            source.destroy();
            await new Promise((resolve) => setTimeout(resolve, 100));
        }"""
    )
