"""Common Media Client Data: what is understood, and what is left alone."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request

from mediaserver.media.audience import ViewerReport
from mediaserver.routes.cmcd import cmcd_of

SESSION = "6e2fb550-c457-11e9-bb97-0800200c9a66"


def told(text: str) -> tuple[str | None, ViewerReport] | None:
    return cmcd_of(make_mocked_request("GET", f"/live/a/b/1.m4s?CMCD={quote(text)}"), "hls")


def test_the_example_of_the_specification() -> None:
    text = (
        f'bl=21300,br=3200,bs,cid="faec5fc2-ac30",d=4004,mtp=25400,ot=v,rtp=15000,sid="{SESSION}"'
    )
    assert told(text) == (SESSION, ViewerReport("hls", None, 1, 25_400_000))


def test_headers() -> None:
    request = make_mocked_request(
        "GET",
        "/live/a/b/dvr.m3u8",
        headers={
            "CMCD-Request": "mtp=48100,bl=500",
            "CMCD-Object": "br=3200,d=4004",
            "CMCD-Session": f'sid="{SESSION}",v=1',
        },
    )
    assert cmcd_of(request, "dvr") == (SESSION, ViewerReport("dvr", None, 0, 48_100_000))


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ("mtp=1000", ViewerReport("hls", None, 0, 1_000_000)),
        ("bs", ViewerReport("hls", None, 1)),
        ("bs=?1,mtp=5", ViewerReport("hls", None, 1, 5_000)),
        ("bs=?0,mtp=5", ViewerReport("hls", None, 0, 5_000)),
        ("ltc=2400,mtp=5,v=2", ViewerReport("hls", 2_400, 0, 5_000)),
        ('com.example-key="a, \\"b\\"",mtp=7', ViewerReport("hls", None, 0, 7_000)),
    ],
)
def test_values(text: str, report: ViewerReport) -> None:
    assert told(text) == (None, report)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",,,",
        "=",
        "mtp",
        "mtp=",
        "mtp=abc",
        "mtp=-4",
        "mtp=1e9",
        "mtp=" + "9" * 30,
        "bl=100",
        "mtp=5," + "x" * 3000,
        "\x00\x01",
        'sid="',
        "MTP=5",
    ],
)
def test_what_says_nothing(text: str) -> None:
    found = told(text)
    assert found is None or found[1] == ViewerReport("hls")


@pytest.mark.parametrize("session", ["a b", "x" * 65, "<script>", ""])
def test_a_session_that_is_none(session: str) -> None:
    found = told(f'sid="{session}",mtp=5')
    assert found is not None
    assert found[0] is None


def test_no_word() -> None:
    assert cmcd_of(make_mocked_request("GET", "/live/a/b/1.m4s?_HLS_msn=3"), "hls") is None
