"""What is taken as a document, and what only looks like one."""

from __future__ import annotations

import random

import pytest

from mediaserver.channels.document_kind import kind_of
from mediaserver.kernel.errors import Invalid
from tests import documents, pictures


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (documents.pdf(), "pdf"),
        (documents.pdf(after=b"\r\n\n"), "pdf"),
        (documents.pdf(inside=documents.packed(b"<< /Type /Page >>")), "pdf"),
        (pictures.png(), "picture"),
        (pictures.jpeg(64, 64), "picture"),
        (pictures.jpeg(64, 64) + b"<script>alert(1)</script>", "picture"),  # is made anew
    ],
)
def test_documents(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        documents.svg(),
        b"<html><script>alert(1)</script></html>",
        documents.archive(),
        pictures.gif(2),
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"MZ\x90\0",
        b"GIF89a" + documents.pdf(),
        b"\n" + documents.pdf(),
        documents.pdf().replace(b"%PDF-1.4", b"%PDF-9.9"),
        documents.pdf(after=b"<script>alert(1)</script>"),
        documents.pdf(after=documents.archive()),
        documents.pdf_and_zip(),
        documents.pdf(after=b"Rar!\x1a\x07\x01\0 startxref %%EOF"),
        documents.pdf(inside=b"<html><script>alert(1)</script></html>"),
        documents.pdf(inside=b"/OpenAction << /S /JavaScript /JS (app.alert(1)) >>"),
        documents.pdf(inside=b"/OpenAction << /S /Launch /F (cmd.exe) >>"),
        documents.pdf(inside=b"/Names << /EmbeddedFiles 9 0 R >> /EmbeddedFile"),
        documents.pdf(inside=b"/OpenAction << /S /J#61vaScript /JS (app.alert(1)) >>"),
        documents.pdf(inside=documents.packed(b"<< /S /JavaScript /JS (app.alert(1)) >>")),
        documents.pdf(inside=documents.packed(b"<< /S /J#61vaScript /JS (app.alert(1)) >>")),
        documents.pdf(inside=documents.packed(b"<< >>").replace(b"/ObjStm", b"/Obj#53tm")),
        documents.pdf(inside=documents.packed(b"<< >>").replace(b"/Flate", b"/LZW")),
        documents.pdf(inside=documents.packed(b"<< >>").replace(b"stream\n", b"stream\nx")),
        documents.pdf(inside=documents.packed(bytes(33 << 20))),
        documents.pdf()[:-8],
        documents.pdf().replace(b"startxref", b"start"),
    ],
)
def test_what_is_no_document(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        kind_of(data)
    assert caught.value.field == "documents"


def test_anything_is_refused_and_nothing_crashes() -> None:
    chance = random.Random(7)
    for start in (b"", b"%PDF-1.7", b"%PDF-1.4\n", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        for length in (0, 1, 30, 3_000):
            data = start + chance.randbytes(length)
            try:
                kind_of(data)
            except Invalid:
                continue
            assert start not in (b"", b"%PDF-1.7", b"%PDF-1.4\n")
