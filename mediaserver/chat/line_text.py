"""What the text of a line is: checked, and looked at for links and emotes. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.texts import checked_line

_NONCE = re.compile(rf"[A-Za-z0-9_.:-]{{1,{limits.CHAT_NONCE_CHARS_MAX}}}")

EMOTE_CODE = r"[a-z0-9_]{2,24}"
"""What stands between the colons of an emote."""

_EMOTE = re.compile(rf":({EMOTE_CODE}):")

_EMOJI_JOINERS = frozenset("\u200d\ufe0f\u20e3")

_LINK = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,20}://|www\.)\S"
    r"|(?<![\w@.-])(?:[\w-]{1,63}\.){1,8}"
    r"(?:com|net|org|info|biz|xyz|site|online|shop|store|live|club|top|app|dev|link|click|gift|"
    r"io|tv|gg|me|co|ai|cc|to|ly|gl|ru|su|ua|uk|de|fr|it|es|pl|nl|br|in|id|cn|jp|eu|us|ca|au|tk|"
    r"ml|ga|cf|gq|pw|ws|fm|im|sh|so|st|vc|be|ch|at|se|no|dk|fi|cz|tr|ir|kr|vn|th|ph|my|sg|mx|ar)"
    r"(?![\w-])"
    r"|(?<![\w@.-])(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}/\S"
    r"|(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:[:/]\S|(?![\w.]))",
)
"""An address with a scheme or www, a name that ends like one, a name with a path, an IP address.
Every repetition is bounded, so that no text takes long."""


def checked_text(value: str) -> str:
    """The text as it is kept. Raises `Invalid` when it is too long or empty to the eye."""
    return checked_line(value, "text", limits.CHAT_TEXT_CHARS_MAX, is_required=True)


def checked_nonce(value: str) -> str:
    """Raises `Invalid`."""
    if not _NONCE.fullmatch(value):
        raise Invalid(
            f"Use 1 to {limits.CHAT_NONCE_CHARS_MAX} letters, digits, or . _ : -", field="nonce"
        )
    return value


def has_link(text: str) -> bool:
    """Whether a reader could follow it; also behind full-width letters."""
    return _LINK.search(unicodedata.normalize("NFKC", text).casefold()) is not None


def is_emotes_only(text: str, codes: Container[str]) -> bool:
    """Whether it is made of known emotes and emoji alone."""
    rest = _EMOTE.sub(lambda found: " " if found[1] in codes else found[0], text)
    return all(
        char.isspace()
        or char in _EMOJI_JOINERS
        or unicodedata.category(char) in ("So", "Sk")
        or "\U000e0020" <= char <= "\U000e007f"  # the letters of flags
        for char in rest
    )
