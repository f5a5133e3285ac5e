"""AMF0: every type, every bound, and any bytes at all."""

from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.kernel import limits
from mediaserver.media.rtmp.amf import AmfError, AmfValue, decode, encode


def text(value: str) -> bytes:
    """A string without its marker, as keys are written."""
    return len(value.encode()).to_bytes(2, "big") + value.encode()


def number(value: float) -> bytes:
    return b"\x00" + struct.pack(">d", value)


END = b"\x00\x00\x09"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (number(1.5), 1.5),
        (number(-0.0), 0.0),
        (b"\x01\x00", False),
        (b"\x01\x01", True),
        (b"\x01\x07", True),
        (b"\x02" + text("connect"), "connect"),
        (b"\x02" + text(""), ""),
        (b"\x02" + text("Žluťoučký 🎥"), "Žluťoučký 🎥"),
        (b"\x02\x00\x02\xff\xfe", "\ufffd\ufffd"),
        (b"\x03" + END, {}),
        (
            b"\x03" + text("app") + b"\x02" + text("live") + text("n") + number(3) + END,
            {"app": "live", "n": 3.0},
        ),
        (b"\x05", None),
        (b"\x06", None),
        (b"\x08\x00\x00\x00\x01" + text("a") + b"\x05" + END, {"a": None}),
        (b"\x0a\x00\x00\x00\x00", []),
        (b"\x0a\x00\x00\x00\x02\x02" + text("hvc1") + b"\x01\x01", ["hvc1", True]),
        (b"\x0b" + struct.pack(">d", 1e12) + b"\x00\x3c", 1e12),
        (b"\x0c\x00\x00\x00\x03abc", "abc"),
        (b"\x0f\x00\x00\x00\x04<a/>", "<a/>"),
        (b"\x10" + text("Class") + text("a") + number(1) + END, {"a": 1.0}),
    ],
)
def test_every_type(data: bytes, value: AmfValue) -> None:
    assert decode(data) == [value]
    assert decode(memoryview(data)) == [value]


def test_values_follow_one_another() -> None:
    data = b"\x02" + text("connect") + number(1) + b"\x05"
    assert decode(data) == ["connect", 1.0, None]
    assert decode(b"") == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none(value: float) -> None:
    (found,) = decode(number(value))
    assert struct.pack(">d", found) == struct.pack(">d", value)
    assert encode(value) == number(value)


@pytest.mark.parametrize("count", [0, 7, 0xFFFFFFFF])
def test_the_count_of_an_ecma_array_is_a_hint(count: int) -> None:
    pairs = text("a") + number(1) + text("b") + number(2) + END
    assert decode(b"\x08" + count.to_bytes(4, "big") + pairs) == [{"a": 1.0, "b": 2.0}]


def test_an_empty_key_is_a_key_unless_the_end_follows() -> None:
    assert decode(b"\x03" + text("") + number(1) + END) == [{"": 1.0}]


@pytest.mark.parametrize("marker", [0x04, 0x07, 0x09, 0x0D, 0x0E, 0x11, 0x12, 0xFF])
def test_types_that_encoders_have_no_use_for(marker: int) -> None:
    with pytest.raises(AmfError, match=rf"^AMF0 type 0x{marker:02x} is not supported$"):
        decode(bytes((marker,)) + bytes(20))


def nested(depth: int, open_one: bytes, inner: bytes, close_one: bytes) -> bytes:
    return open_one * depth + inner + close_one * depth


@pytest.mark.parametrize(
    ("open_one", "close_one"),
    [
        (b"\x03" + text("a"), END),
        (b"\x08\x00\x00\x00\x01" + text("a"), END),
        (b"\x0a\x00\x00\x00\x01", b""),
        (b"\x10" + text("C") + text("a"), END),
    ],
)
def test_nesting_is_bounded(open_one: bytes, close_one: bytes) -> None:
    decode(nested(limits.AMF_DEPTH_MAX, open_one, b"\x05", close_one))
    for depth in (limits.AMF_DEPTH_MAX + 1, 1000):
        with pytest.raises(AmfError, match="nested too deeply"):
            decode(nested(depth, open_one, b"\x05", close_one))


@pytest.mark.parametrize("count", [limits.AMF_ITEMS_MAX + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_huge_counts_are_refused_at_once(count: int) -> None:
    with pytest.raises(AmfError, match=r"^AMF array is too long$"):
        decode(b"\x0a" + count.to_bytes(4, "big") + b"\x05" * 10)


def test_items_are_counted_over_the_whole_message() -> None:
    array = b"\x0a" + (255).to_bytes(4, "big") + b"\x05" * 255
    assert decode(array * 2) == [[None] * 255] * 2
    with pytest.raises(AmfError, match="too many items"):
        decode(array * 2 + b"\x05")
    with pytest.raises(AmfError, match="too many items"):
        decode(b"\x05" * (limits.AMF_ITEMS_MAX + 1))


def test_strings_are_bounded() -> None:
    most = "x" * limits.AMF_STRING_BYTES_MAX
    assert decode(b"\x02" + text(most)) == [most]
    over = most + "x"
    for data in (
        b"\x02" + text(over),
        b"\x0c" + len(over).to_bytes(4, "big") + over.encode(),
        b"\x0c\xff\xff\xff\xff",
        b"\x03" + text(over) + number(1) + END,
    ):
        with pytest.raises(AmfError, match=r"^AMF string is too long$"):
            decode(data)


def test_every_cut_is_noticed() -> None:
    whole = encode("connect", 1, {"app": "live", "list": ["a", None, True], "o": {"n": 1.5}})
    boundaries = {0, len(encode("connect")), len(encode("connect", 1)), len(whole)}
    for end in set(range(len(whole))) - boundaries:
        with pytest.raises(AmfError, match=r"^AMF data ends in the middle of a value$"):
            decode(whole[:end])


def test_what_is_written() -> None:
    assert encode("_result", 1, None, True, {"code": "x"}, ["a"]) == (
        b"\x02" + text("_result") + number(1) + b"\x05" + b"\x01\x01"
        b"\x03" + text("code") + b"\x02" + text("x") + END + b"\x0a\x00\x00\x00\x01\x02" + text("a")
    )
    long = "x" * 0x10000
    assert encode(long) == b"\x0c\x00\x01\x00\x00" + long.encode()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES: st.SearchStrategy[AmfValue] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(TEXT.filter(bool), inner, max_size=4)
    ),
    max_leaves=12,
)


def depth(value: AmfValue) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(st.lists(VALUES, max_size=5))
def test_what_is_encoded_is_decoded_again(values: list[AmfValue]) -> None:
    if max(map(depth, values), default=0) <= limits.AMF_DEPTH_MAX:
        assert decode(encode(*values)) == values


TOKENS = st.sampled_from(
    [*(bytes((marker,)) for marker in range(0x12)), b"\x00\x00\x00\x02", text("a"), END, number(1)]
)


@settings(max_examples=400)
@given(st.one_of(st.binary(max_size=200), st.lists(TOKENS, max_size=60).map(b"".join)))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    with contextlib.suppress(AmfError):
        decode(data)


@given(st.lists(VALUES, min_size=1, max_size=3), st.data())
def test_damaged_values_are_decoded_or_refused(values: list[AmfValue], data: st.DataObject) -> None:
    damaged = bytearray(encode(*values))
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(AmfError):
        decode(bytes(damaged))
