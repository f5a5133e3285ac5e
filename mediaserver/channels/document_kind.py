"""What an uploaded document really is, from its bytes alone. Pure; used by documents.py.

Taken are a PDF that is nothing else besides, and pictures, which are made anew before they are
kept.
"""

from __future__ import annotations

import re
import zlib
from typing import Literal

import puremagic

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.image_header import read_header

Kind = Literal["pdf", "picture"]

_HEAD_BYTES = 4_096
_TAIL_BYTES = 65_557
"""As far from the end as programs look for the directory of a ZIP (APPNOTE 4.3.16)."""

_PDF_STARTS = tuple(b"%%PDF-%d.%d" % version for version in [*((1, n) for n in range(8)), (2, 0)])
_OTHER_ENDS = (
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"Rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"MSCF\0\0\0\0",
)
_OTHER_HEADS = (b"<html", b"<script", b"<!doctype", b"<svg", b"<?php", b"<?xml-stylesheet")
_ACTIVE = (b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/RichMedia")
_PACKED = b"/ObjStm"
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
"""A byte of a name written in hex (ISO 32000-2 §7.3.5)."""


def kind_of(data: bytes, field: str = "documents") -> Kind:
    """Raises `Invalid` for what is neither a plain PDF nor a JPEG or PNG."""
    header = read_header(data)
    if header is not None and header.kind in ("JPEG", "PNG"):
        return "picture"
    if not data.startswith(_PDF_STARTS) or _recognised(data) != "application/pdf":
        raise Invalid("Use a PDF, or a picture in JPEG or PNG.", field=field)
    if not _ends_as_pdf(data) or _is_something_else(data):
        raise Invalid(
            "This PDF holds something besides: print it into a new PDF and send that.", field=field
        )
    if _is_active(data):
        raise Invalid(
            "This PDF runs programs or holds other files: print it into a new one and send that.",
            field=field,
        )
    return "pdf"


def _is_active(data: bytes) -> bool:
    """Whether it runs something or holds files, as far as names tell: those written with escapes
    count, and those inside packed objects. What can't be unpacked counts as active.
    """
    plain = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), data)
    if plain.count(_PACKED) != data.count(_PACKED):
        return True
    if any(name in plain for name in _ACTIVE):
        return True
    room = limits.DOCUMENT_UNPACKED_BYTES_MAX
    at = data.find(_PACKED)
    while at >= 0:
        objects = _unpacked(data, at, room)
        if objects is None or _is_active(objects.replace(_PACKED, b"")):
            return True
        room -= len(objects)
        at = data.find(_PACKED, at + 1)
    return False


def _unpacked(data: bytes, at: int, room: int) -> bytes | None:
    """The object stream (§7.5.7) whose dictionary names its type at `at`; None when it isn't packed
    in the one usual way, is damaged, or has more than `room` bytes.
    """
    begin = data.find(b"stream", at)
    dictionary = data[data.rfind(b"obj", 0, at) : begin]
    if begin < 0 or b"/FlateDecode" not in dictionary or b"/DecodeParms" in dictionary:
        return None
    body = data[begin + len(b"stream") :].lstrip(b"\r\n")
    unpacker = zlib.decompressobj()
    try:
        objects = unpacker.decompress(body, room)
    except zlib.error:
        return None
    return objects if unpacker.eof else None


def _recognised(data: bytes) -> str:
    """The media type by the signatures of puremagic; "" when it knows none."""
    try:
        return str(puremagic.from_string(data[:_HEAD_BYTES], mime=True))
    except (puremagic.PureError, ValueError):
        return ""


def _ends_as_pdf(data: bytes) -> bool:
    """Whether nothing follows the end-of-file marker (ISO 32000-2 §7.5.5) but white space."""
    tail = data[-_TAIL_BYTES:].rstrip(b"\0\t\n\f\r ")
    return tail.endswith(b"%%EOF") and b"startxref" in tail[-_HEAD_BYTES:]


def _is_something_else(data: bytes) -> bool:
    """Whether other programs would read it too, as an archive or a page."""
    head, tail = data[:_HEAD_BYTES].lower(), data[-_TAIL_BYTES:]
    return any(mark in tail for mark in _OTHER_ENDS) or any(mark in head for mark in _OTHER_HEADS)
