"""Documents that tests upload: good ones, and those that are something else besides."""

from __future__ import annotations

import io
import zipfile
import zlib


def pdf(*, inside: bytes = b"", after: bytes = b"") -> bytes:
    """A PDF of one empty page, with `inside` in its first object and `after` behind its end."""
    body = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, text in enumerate(
        (
            b"<< /Type /Catalog /Pages 2 0 R %s >>" % inside,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] >>",
        ),
        1,
    ):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    start = len(body)
    body += b"xref\n0 4\n0000000000 65535 f \n"
    body += b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    return bytes(body) + after


def packed(objects: bytes) -> bytes:
    """For `pdf(inside=…)`: an object stream, as PDF writers of today make them."""
    return (
        b">>\nendobj\n9 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode >>\nstream\n"
        + zlib.compress(b"9 0 " + objects)
        + b"\nendstream\nendobj\n10 0 obj\n<<"
    )


def archive(comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("run.sh", "echo")
        file.comment = comment
    return out.getvalue()


def pdf_and_zip() -> bytes:
    """Opens as a PDF and as a ZIP, whose comment ends as a PDF does."""
    return pdf() + archive(b"startxref\n9\n%%EOF\n")


def svg() -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
