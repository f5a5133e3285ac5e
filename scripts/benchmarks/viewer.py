"""`python -m benchmarks.viewer JSON`: follows a low-latency stream as a player does, without a
picture: blocking reloads, and every part read. Options: `port`, `channel`. Runs until ended.

At SIGINT it says {"parts", "late_ms", "stalls", "arrivals"}: how many it read, how much later the
worst of them came than the best, how often a player that keeps the playlist's hold-back would have
stood still, and of each part when it was read (in s of the monotonic clock) and how late (in ms).
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time

import aiohttp
import uvloop

_PART = re.compile(r'#EXT-X-PART:DURATION=([\d.]+),.*?URI="((\d+)\.(\d+)\.m4s)"')
_HOLD_BACK = re.compile(r"PART-HOLD-BACK=([\d.]+)")


class Playback:
    """When each part was due, as for a player that started with the hold-back in its buffer."""

    def __init__(self) -> None:
        self.parts = 0
        self.stalls = 0
        self._arrivals: list[tuple[float, float]] = []
        self._media_s = 0.0
        self._earliest_s = self._latest_s = self._due_s = 0.0

    @property
    def late_ms(self) -> int:
        return round((self._latest_s - self._earliest_s) * 1000)

    def read(self, duration_s: float, hold_back_s: float) -> None:
        """A part was read to its end."""
        start_s = time.monotonic() - self._media_s  # of the stream, going by this part
        if self.parts == 0:
            self._earliest_s = self._latest_s = start_s
            self._due_s = start_s + hold_back_s
        self._earliest_s = min(self._earliest_s, start_s)
        self._latest_s = max(self._latest_s, start_s)
        self._arrivals.append((time.monotonic(), start_s))
        if start_s > self._due_s:
            self.stalls += 1
            self._due_s = start_s + hold_back_s
        self.parts += 1
        self._media_s += duration_s

    def say(self) -> None:
        said = {"parts": self.parts, "late_ms": self.late_ms, "stalls": self.stalls}
        arrivals = [(at_s, (start_s - self._earliest_s) * 1000) for at_s, start_s in self._arrivals]
        print(json.dumps({**said, "arrivals": arrivals}), flush=True)


async def main() -> None:
    options = json.loads(sys.argv[1])
    playback = Playback()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, playback.say)
    base = f"http://127.0.0.1:{options['port']}/live/{options['channel']}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:

        async def read(address: str) -> bytes | None:
            async with session.get(address) as answer:
                body = await answer.read()
                return body if answer.status == 200 else None

        while (index := await read(f"{base}/index.m3u8")) is None:
            await asyncio.sleep(0.5)
        media = f"{base}/{index.decode().splitlines()[-1]}"
        folder = media.rpartition("/")[0]
        query, last, is_first = "", (0, -1), True
        while True:
            playlist = await read(media + query)
            if playlist is None:
                raise RuntimeError(f"no playlist for {query!r}")
            text = playlist.decode()
            hold_back = _HOLD_BACK.search(text)
            for duration, name, msn, part in _PART.findall(text)[-1 if is_first else 0 :]:
                if (int(msn), int(part)) > last:
                    last = int(msn), int(part)
                    if not await read(f"{folder}/{name}"):
                        raise RuntimeError(f"{name} is listed and not there")
                    playback.read(float(duration), float(hold_back[1]) if hold_back else 0.0)
            is_first = False
            query = f"?_HLS_msn={last[0]}&_HLS_part={last[1] + 1}"


if __name__ == "__main__":
    uvloop.run(main())
