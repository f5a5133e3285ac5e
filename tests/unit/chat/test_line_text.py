"""Text of lines: what is a line at all, a link, emotes only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaserver.chat.line_text import checked_nonce, checked_text, has_link, is_emotes_only
from mediaserver.kernel.errors import Invalid


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n", "\u200b", "\u2800\u3164", "\u202e", "\u0301", "x" * 501, "a\nb", "a\0b", "\x7f",
     "a" + "\u0301" * 10_000, "e" + "\u20dd" * 5, "\u2028", "\x1b[0m"],
    ids=ascii,
)  # fmt: skip
def test_no_line(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_text(text)
    assert caught.value.field == "text"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" hi ", "hi"),
        ("x" * 500, "x" * 500),
        ("a\u202eb", "ab"),
        ("e\u0301", "é"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("<b>", "<b>"),
        ("نام‌ها", "نام‌ها"),
        ("Việt Nam", "Việt Nam"),
    ],
)
def test_a_line(text: str, kept: str) -> None:
    assert checked_text(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/x",
        "see HTTP://EXAMPLE.ORG",
        "www.example.org",
        "example.com",
        "go to free-coins.xyz now",
        "a.b.example.co.uk",
        "ｅｘａｍｐｌｅ．ｃｏｍ",
        "example.museum/tour",
        "127.0.0.1:8080/x",
        "10.0.0.1",
        "steam://run/440",
        "(example.com)",
    ],
)
def test_links(text: str) -> None:
    assert has_link(text)


@pytest.mark.parametrize(
    "text",
    [
        "hello there",
        "well...no",
        "3.14 is pi",
        "version 1.2.3",
        "e.g. this",
        "Wait.What",
        "@bob and :wave:",
        "file.txt",
        "12:30/13:00",
        "and/or",
        "mail me at bob@example",
    ],
)
def test_no_links(text: str) -> None:
    assert not has_link(text)


@given(st.text(alphabet="a.-/:w1@", max_size=500))
def test_looking_for_links_ends(text: str) -> None:
    has_link(text)


@pytest.mark.parametrize(
    ("text", "is_emotes"),
    [
        (":wave:", True),
        (":wave: :wave::wave:", True),
        ("👋 :wave: 👨‍👩‍👧 🇮🇩 👍🏽 ❤️", True),
        ("hi :wave:", False),
        (":nothing:", False),
        (":wave", False),
        ("1", False),
    ],
)
def test_emotes_only(text: str, is_emotes: bool) -> None:
    assert is_emotes_only(text, {"wave"}) is is_emotes


@pytest.mark.parametrize("nonce", ["", " ", "a b", "x" * 65, "é", "\0", "a\n"])
def test_wrong_nonces(nonce: str) -> None:
    with pytest.raises(Invalid):
        checked_nonce(nonce)
    assert checked_nonce("0b9f7c1e-1111-4a5b-8c9d-000000000000")
