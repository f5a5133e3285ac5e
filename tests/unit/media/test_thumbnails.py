"""Thumbnails by the real child process: pictures, garbage, and a child that dies."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator

import av
import pytest
from structlog.testing import capture_logs

from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.fmp4 import Muxer
from mediaserver.media.frames import Frame
from mediaserver.media.live_stream import LiveStream
from mediaserver.media.origin import Origin
from mediaserver.media.packager import Packager
from mediaserver.media.parts import PRESETS, Epoch, Part, SegmentEnd
from mediaserver.media.thumbnail_decoder import jpeg as decode
from mediaserver.media.thumbnail_decoder import serve
from mediaserver.media.thumbnails import LENGTH, Thumbnails, _Decoder
from tests.unit.media.captured import tags

H264 = "ffmpeg-5.1-h264-bframes-aac"
NO_PICTURE = "ffmpeg-5.1-audio-only"


def live_stream(capture: str) -> LiveStream:
    packager = Packager(PRESETS["low"])
    stream = LiveStream("session", PRESETS["low"], 40, FakeClock())
    muxer: Muxer | None = None
    for tag in tags(capture):
        outputs = packager.push(tag, 0) if isinstance(tag, Frame) else packager.configure(tag)
        for output in outputs:
            match output:
                case Epoch():
                    muxer = Muxer(output)
                    stream.begin_epoch(output, muxer.init, (muxer.width, muxer.height))
                case Part():
                    assert muxer is not None
                    stream.append(output, muxer.part(output, 1))
                case SegmentEnd():
                    stream.end_segment()
    stream.publish()
    return stream


def mp4(capture: str) -> bytes:
    newest = live_stream(capture).newest_independent()
    assert newest is not None
    return b"".join(newest)


def size(jpeg: bytes) -> tuple[int, int]:
    assert jpeg.startswith(b"\xff\xd8")
    assert jpeg.endswith(b"\xff\xd9")
    with av.open(io.BytesIO(jpeg), "r", format="mjpeg") as container:
        frame = next(container.decode(video=0))
    return frame.width, frame.height


@pytest.fixture
async def decoder() -> AsyncIterator[_Decoder]:
    made = _Decoder()
    yield made
    await made.aclose()


CODECS = pytest.mark.parametrize(
    "capture", [H264, "obs-studio-29.0-h264-aac", "ffmpeg-8.1-enhanced-hevc-aac",
                "ffmpeg-8.1-enhanced-av1-aac"],
)  # fmt: skip


@CODECS
def test_the_first_picture(capture: str) -> None:
    assert size(decode(mp4(capture))) == (640, 360)


def test_the_child_answers_each_request() -> None:
    requests = [mp4(H264), b"", b"garbage", bytes(5000), mp4(NO_PICTURE), mp4(H264)[:2000],
                mp4(H264)]  # fmt: skip
    answers = io.BytesIO()
    serve(io.BytesIO(b"".join(LENGTH.pack(len(one)) + one for one in requests)), answers)
    answers.seek(0)
    found = []
    while head := answers.read(LENGTH.size):
        found.append(answers.read(*LENGTH.unpack(head)))
    assert len(found) == len(requests)
    assert size(found[0]) == size(found[-1]) == (640, 360)
    assert found[1:5] == [b""] * 4


@CODECS
async def test_the_child_makes_a_jpeg(decoder: _Decoder, capture: str) -> None:
    made = await decoder.jpeg(mp4(capture))
    assert made is not None
    assert size(made) == (640, 360)


async def test_garbage_makes_none_and_the_next_works(decoder: _Decoder) -> None:
    for garbage in (b"", b"garbage", mp4(NO_PICTURE)):
        assert await decoder.jpeg(garbage) is None
    assert decoder._process is not None
    child = decoder._process.pid
    assert await decoder.jpeg(mp4(H264)) is not None
    assert decoder._process.pid == child, "garbage costs no new child"


async def test_a_killed_child_is_started_again(decoder: _Decoder) -> None:
    picture = mp4(H264)
    first = await decoder.jpeg(picture)
    assert decoder._process is not None
    os.kill(decoder._process.pid, signal.SIGKILL)
    await decoder._process.wait()
    assert await decoder.jpeg(picture) == first


async def test_a_child_that_dies_at_work_is_started_again(decoder: _Decoder) -> None:
    picture = mp4(H264)
    first = await decoder.jpeg(picture)
    assert decoder._process is not None
    os.kill(decoder._process.pid, signal.SIGSTOP)
    with capture_logs() as captured:
        waiting = asyncio.create_task(decoder.jpeg(picture))
        await asyncio.sleep(0)
        os.kill(decoder._process.pid, signal.SIGKILL)
        assert await waiting is None
    assert [line["event"] for line in captured] == ["thumbnail decoder failed"]
    assert await decoder.jpeg(picture) == first


async def test_a_child_that_hangs_is_killed(
    decoder: _Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = mp4(H264)
    first = await decoder.jpeg(picture)
    assert decoder._process is not None
    hanging = decoder._process
    os.kill(hanging.pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(limits, "THUMBNAIL_TIMEOUT_S", 0.001)
        assert await decoder.jpeg(picture) is None
    assert hanging.returncode == -signal.SIGKILL
    assert await decoder.jpeg(picture) == first


async def test_a_picture_too_large_is_refused(
    decoder: _Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "THUMBNAIL_BYTES_MAX", 100)
    assert await decoder.jpeg(mp4(H264)) is None
    assert decoder._process is None


async def test_a_request_given_up_leaves_no_answer_for_the_next(decoder: _Decoder) -> None:
    """Cancelled at work: the child's late answer must not be taken for another stream's."""
    first = await decoder.jpeg(mp4("obs-studio-29.0-h264-aac"))
    waiting = asyncio.create_task(decoder.jpeg(mp4(H264)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await decoder.jpeg(mp4("obs-studio-29.0-h264-aac")) == first


# Which streams get one ----------------------------------------------------------------------------


class FakeDecoder:
    def __init__(self) -> None:
        self.answer: bytes | None = b"jpeg"
        self.asked = 0

    async def jpeg(self, _: bytes) -> bytes | None:
        self.asked += 1
        return self.answer


def thumbnails(origin: Origin) -> tuple[Thumbnails, FakeDecoder]:
    made, fake = Thumbnails(origin, MediaConfig(), Metrics()), FakeDecoder()
    made._decoder = fake  # type: ignore[assignment]
    return made, fake


async def test_a_thumbnail_is_made_anew_after_its_interval() -> None:
    origin = Origin()
    origin.add("film", live_stream(H264))
    made, fake = thumbnails(origin)
    assert made.jpeg("film") is None
    await made._refresh("film", 1)
    assert made.jpeg("film") == b"jpeg"
    fake.answer = b"newer"
    await made._refresh("film", 10)
    assert made.jpeg("film") == b"jpeg"
    await made._refresh("film", 11)
    assert made.jpeg("film") == b"newer"
    origin.remove("film", origin.current("film"))
    assert made.jpeg("film") is None, "withdrawn"


async def test_a_failure_keeps_the_last_one_and_waits_for_the_next_turn() -> None:
    origin = Origin()
    origin.add("film", live_stream(H264))
    made, fake = thumbnails(origin)
    fake.answer = None
    await made._refresh("film", 1)
    assert made.jpeg("film") is None
    fake.answer = b"jpeg"
    await made._refresh("film", 2)
    fake.answer = None
    await made._refresh("film", 12)
    await made._refresh("film", 13)
    assert fake.asked == 3
    assert made.jpeg("film") == b"jpeg"


async def test_a_new_stream_of_the_channel_gets_its_own_at_once() -> None:
    origin = Origin()
    origin.add("film", live_stream(H264))
    made, fake = thumbnails(origin)
    await made._refresh("film", 1)
    newer = live_stream(H264)
    newer.session = "newer"
    origin.add("film", newer)
    fake.answer = b"newer"
    await made._refresh("film", 2)
    assert made.jpeg("film") == b"newer"


async def test_no_thumbnail_without_a_picture() -> None:
    origin = Origin()
    origin.add("radio", live_stream(NO_PICTURE))
    over = live_stream(H264)
    over.end()
    origin.add("over", over)
    origin.add("early", LiveStream("early", PRESETS["low"], 40, FakeClock()))
    made, fake = thumbnails(origin)
    for channel in ("radio", "over", "early", "nobody"):
        await made._refresh(channel, 1)
        assert made.jpeg(channel) is None
    assert fake.asked == 0
