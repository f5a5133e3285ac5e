"""QR codes as pictures inside a page."""

from __future__ import annotations

import segno


def qr_code(text: str) -> str:
    """A data: URL of an SVG, dark on light whatever the page's theme: phones want it so."""
    made: str = segno.make(text, error="m", micro=False).svg_data_uri(
        scale=4, border=2, dark="#000", light="#fff"
    )
    return made
