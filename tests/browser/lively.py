"""A real site with life in it: channels on air, a schedule, people who talk. All of it made up."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import scenery
from visitors import Visitors
from yarl import URL

from tests.functional.platform_site import Person
from tests.functional.site import Site

ON_AIR_S = 60.0
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A channel, and what it shows; `scene` None: it is offline."""

    slug: str
    name: str
    title: str
    category: str
    tags: tuple[str, ...]
    description: str
    scene: str | None = None


CHANNELS = (
    MadeUp(
        "mira",
        "Mira Paints",
        "Two boats and the last light on the water",
        "art",
        ("gouache", "landscape", "beginners welcome"),
        "I paint the harbour from my window, whatever the weather. Ask me anything about gouache; "
        "the palette of the day is pinned in the chat.",
        "harbour",
    ),
    MadeUp(
        "small-builds",
        "Small Builds",
        "A tide clock in forty lines of Python",
        "software",
        ("python", "from scratch"),
        "Little programs, written from the first line to the last.",
        "workshop",
    ),
    MadeUp(
        "ridge-walk",
        "Ridge Walk",
        "Up before the mist is gone",
        "outdoors",
        ("hiking", "slow"),
        "Long walks, few words.",
        "mountains",
    ),
    MadeUp(
        "night-desk",
        "Night Desk",
        "Records from the third shelf, lights out",
        "music",
        ("vinyl", "ambient"),
        "An hour of records, and the city outside.",
        "city",
    ),
    MadeUp(
        "meadow",
        "Meadow Camera",
        "Who visits the poppies today",
        "science",
        ("nature", "camera"),
        "A camera in the grass.",
        "garden",
    ),
    MadeUp(
        "kofi-cooks",
        "Kofi Cooks",
        "Groundnut soup for six",
        "cooking",
        ("soup", "family"),
        "Sunday food on any day. Recipes are in the schedule.",
    ),
)

SCHEDULE = (
    ("mira", "Boats in the fog", "art", 26, 120, "weekly"),
    ("mira", "Mixing greys, for beginners", "art", 74, 90, "none"),
    ("mira", "Your harbours: I paint what you send", "art", 122, 150, "none"),
    ("kofi-cooks", "Groundnut soup for six", "cooking", 5, 90, "none"),
    ("night-desk", "The second shelf", "music", 29, 60, "weekly"),
    ("small-builds", "A moon for the tide clock", "software", 50, 120, "none"),
)

TALK: tuple[tuple[str, str], ...] = (
    ("rahim", "good evening from Sylhet, it is past midnight here"),
    ("lena_k", "the sky went from grey to orange while I made tea"),
    ("mira", "welcome in, everybody. The tide turns in an hour, so we have until then :sun:"),
    ("tern", "is that the same harbour as last week?"),
    ("ana_outdoors", ":wave: :wave:"),
    ("joan", "which brush is that for the water?"),
    ("mira", "@joan a flat one, 12 mm, nearly dry"),
    ("kofi", "the red of that hull makes the whole picture"),
    ("ines", "first time here, this is so calm"),
    ("rahim", "welcome @ines, stay for the reflections, they are the best part"),
    ("noor", "do you let it dry between the layers?"),
    ("mira", "Only under the sail. Everywhere else wet into wet, that is why the edges are soft."),
    ("tern", "the small boat is mine by the way :heart:"),
    ("lena_k", "really? which one"),
    ("tern", "the one that needs paint"),
    ("joan", "I tried this at home, mine looks like soup :leaf:"),
    ("kofi", "soup is fine too, I make one for six people today"),
    ("ana_outdoors", "those hills are the ones I walked up on Sunday"),
    ("ines", "how long does a picture like this take you?"),
    ("mira", "Two hours when I talk, one when I don't."),
    ("noor", "then please keep talking"),
    ("rahim", "the light on the left just changed, look"),
)
PINNED = "Palette today: ultramarine, burnt sienna, naples yellow, and a white that is never clean."


def soon_ms(hours: float) -> int:
    """A moment ahead, on the half hour."""
    ahead = datetime.now(UTC) + timedelta(hours=hours)
    half = ahead.replace(minute=30 if ahead.minute >= 30 else 0, second=0, microsecond=0)
    return int(half.timestamp() * 1000)


OFFLINE_TALK = (
    ("joan", "the soup of last week is our new Sunday"),
    ("kofi_cooks", "that makes my day. Today it has groundnuts, bring an appetite"),
    ("rahim", "how long before do I soak them?"),
    ("kofi_cooks", "not at all, roast them"),
    ("noor", "see you later then"),
)


@dataclass(slots=True)
class Lively:
    """The site, who is there, and their channels' keys."""

    site: Site
    visitors: Visitors
    people: dict[str, Person] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    async def call(self, name: str, method: str, path: str, body: Any = None) -> Any:
        status, answer = await self.people[name].api(method, path, body)
        assert status < 300, (name, method, path, status, answer)
        return answer

    async def fill(self) -> None:
        """Accounts, channels, follows, schedule, emotes, and what they say."""
        talkers = {name for name, _ in TALK}
        for name in sorted(talkers | {made.slug.replace("-", "_") for made in CHANNELS}):
            self.people[name] = await self.visitors.account(name)
        for made in CHANNELS:
            owner = made.slug.replace("-", "_")
            await self.people[owner].make_channel(made.slug, name=made.name)
            about = {
                "title": made.title,
                "description": made.description,
                "category": made.category,
                "tags": list(made.tags),
            }
            await self.call(owner, "PATCH", f"/channels/{made.slug}", about)
            key = await self.call(
                owner, "POST", f"/channels/{made.slug}/stream-keys", {"name": "OBS"}
            )
            self.keys[made.slug] = key["key"]
            for name in sorted(talkers - {owner}):
                await self.call(name, "PUT", f"/channels/{made.slug}/follow")
        for slug, title, category, hours, minutes, repeat in SCHEDULE:
            entry = {
                "title": title,
                "category": category,
                "starts_at_ms": soon_ms(hours),
                "duration_min": minutes,
                "repeat": repeat,
            }
            await self.call(slug.replace("-", "_"), "POST", f"/channels/{slug}/schedule", entry)
        for kind in ("sun", "wave", "leaf", "heart"):
            await self._upload_emote(kind)
        await self.call("mira", "POST", "/channels/mira/moderators", {"username": "lena_k"})
        await self.talk()

    async def talk(self) -> None:
        said: dict[str, str] = {}
        pinned = await self.call("mira", "POST", "/channels/mira/chat", {"text": PINNED})
        await self.call("mira", "PUT", "/channels/mira/chat/pin", {"id": pinned["id"]})
        for name, text in TALK:
            line: dict[str, Any] = {"text": text}
            if text == "really? which one":
                line["reply_to"] = said["tern"]
            answer = await self.call(name, "POST", "/channels/mira/chat", line)
            said[name] = answer["id"]
        for name, text in OFFLINE_TALK:
            await self.call(name, "POST", "/channels/kofi-cooks/chat", {"text": text})
        announcement = {"text": "Break at half past, then the reflections.", "colour": "accent"}
        await self.call("mira", "POST", "/channels/mira/chat/announcements", announcement)

    async def _upload_emote(self, code: str) -> None:
        mira = self.people["mira"]
        url = mira.base.join(URL(f"/api/v1/channels/mira/emotes/{code}"))
        headers = {"Authorization": f"Bearer {mira.token}", "Content-Type": "image/png"}
        async with mira.http.put(url, data=scenery.emote(code), headers=headers) as response:
            assert response.status < 300, await response.text()

    async def watched(self, viewers: Mapping[str, int]) -> None:
        """So many more people ask for the playlist of each channel; they count for some seconds."""
        async with aiohttp.ClientSession() as http:
            for slug, count in viewers.items():
                url = f"{self.site.url}/live/{slug}/index.m3u8"
                for number in range(count):
                    cookie = {"Cookie": f"viewer=made-up-viewer-{slug}-{number:05}"}
                    async with http.get(url, headers=cookie) as response:
                        text = await response.text()
                    names = [line for line in text.splitlines() if line.endswith(".m3u8")]
                    media = response.url.join(URL(names[0]))
                    async with http.get(media, headers=cookie) as response:
                        assert response.status == 200

    @asynccontextmanager
    async def on_air(self, folder: Path, *slugs: str, height: int = 360) -> AsyncIterator[None]:
        """Those channels are live with their pictures while this is entered."""
        async with AsyncExitStack() as stack:
            for made in CHANNELS:
                if made.slug in slugs and made.scene is not None:
                    url = f"rtmp://127.0.0.1:{self.site.rtmp_port}/live/{self.keys[made.slug]}"
                    is_first = made.slug == slugs[0]  # the others are seen as small pictures only
                    shape = (height, 10) if is_first else (360, 3)
                    await stack.enter_async_context(_publishing(made.scene, folder, url, *shape))
            for slug in slugs:
                await self.site.wait_state(slug, "live", ON_AIR_S)
            async with asyncio.timeout(ON_AIR_S), aiohttp.ClientSession() as http:
                for slug in slugs:
                    while not await self._has_thumbnail(http, slug):
                        await asyncio.sleep(0.2)
            yield

    async def _has_thumbnail(self, http: aiohttp.ClientSession, slug: str) -> bool:
        async with http.get(f"{self.site.url}/live/{slug}/thumbnail.jpg") as response:
            return response.status == 200


@asynccontextmanager
async def _publishing(
    scene: str, folder: Path, url: str, height: int, rate: int
) -> AsyncIterator[None]:
    """A picture that drifts a little, and a quiet tone, as an encoder sends them."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("ffmpeg is not installed")
    width, margin = height * 16 // 9, height // 18
    picture = scenery.paint(scene, folder, width + margin, height + margin)
    drift = f"crop={width}:{height}:{margin}/2*(1+sin(t/7)):{margin}/2*(1+cos(t/9)),format=yuv420p"
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-loglevel", "error", "-re", "-loop", "1", "-framerate", f"{rate}"),
        *("-i", str(picture), "-re", "-f", "lavfi", "-i", "sine=f=220,volume=0.05"),
        *("-vf", drift, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
        *("-crf", "20", "-g", f"{2 * rate}", "-c:a", "aac", "-f", "flv", url),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
