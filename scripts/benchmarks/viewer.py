"""`python -m benchmarks.viewer JSON`: follows a low-latency stream as a player does, without a
picture: blocking reloads, and every part read. Options: `port`, `channel`. Runs until ended.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

import aiohttp
import uvloop

_PART = re.compile(r'#EXT-X-PART:.*URI="((\d+)\.(\d+)\.m4s)"')


async def main() -> None:
    options = json.loads(sys.argv[1])
    base = f"http://127.0.0.1:{options['port']}/live/{options['channel']}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:

        async def read(address: str) -> bytes | None:
            async with session.get(address) as answer:
                body = await answer.read()
                return body if answer.status == 200 else None

        while (text := await read(f"{base}/index.m3u8")) is None:
            await asyncio.sleep(0.5)
        media = f"{base}/{text.decode().splitlines()[-1]}"
        folder = media.rpartition("/")[0]
        query, last = "", (0, -1)
        while True:
            playlist = await read(media + query)
            if playlist is None:
                raise RuntimeError(f"no playlist for {query!r}")
            for name, msn, index in _PART.findall(playlist.decode()):
                if (int(msn), int(index)) > last:
                    last = int(msn), int(index)
                    if not await read(f"{folder}/{name}"):
                        raise RuntimeError(f"{name} is listed and not there")
            query = f"?_HLS_msn={last[0]}&_HLS_part={last[1] + 1}"


if __name__ == "__main__":
    uvloop.run(main())
