"""`python -m tests.rtmp.pyav_publisher URL`: publishes testsrc2 and a sine with PyAV at real pace.

Runs as a child process of a test, so that encoding costs the test's event loop nothing. SIGTERM
ends the stream as an encoder's stop button does; `--seconds` bounds it in any case.
"""

from __future__ import annotations

import argparse
import logging
import signal
import time

import av

from tests.rtmp.clips import encode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--gop", type=float, default=2, help="seconds between keyframes")
    parser.add_argument("--bframes", type=int, default=0)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--video", default="libx264", help="encoder, or none")
    parser.add_argument("--audio", default="aac", help="encoder, or none")
    parser.add_argument("--pix-fmt", default="yuv420p")
    parser.add_argument("--bitrate-kbps", type=int, default=600)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    av.logging.set_level(av.logging.ERROR)

    stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    started = time.monotonic()

    def paced(media_s: float) -> bool:
        while not stopping and (early := media_s - (time.monotonic() - started)) > 0:
            time.sleep(min(early, 0.2))
        return not stopping

    with av.open(
        options.url, "w", format="flv", options={"flvflags": "no_duration_filesize"}
    ) as out:
        encode(
            out,
            seconds=options.seconds,
            fps=options.fps,
            gop_s=options.gop,
            bframes=options.bframes,
            size=options.size,
            video=None if options.video == "none" else options.video,
            pix_fmt=options.pix_fmt,
            audio=None if options.audio == "none" else options.audio,
            bitrate_kbps=options.bitrate_kbps,
            before=paced,
        )


if __name__ == "__main__":
    main()
