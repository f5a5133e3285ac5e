"""Identifiers and secrets. Every random value of the site comes from here."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A random public identifier such as `usr_6q0…`: 100 bits, lower case, no look-alikes."""
    return f"{prefix}_{new_word(20)}"


def is_id(value: str, prefix: str) -> bool:
    """Whether `value` looks like an identifier that `new_id(prefix)` made."""
    start, separator, rest = value.partition("_")
    return start == prefix and bool(separator) and len(rest) == 20 and not rest.strip(_CROCKFORD)


def new_secret(bits: int = 256) -> str:
    """A URL-safe secret of at least `bits` random bits. Store only its `digest`."""
    return secrets.token_urlsafe((bits + 7) // 8)


def new_digits(count: int) -> str:
    """`count` random decimal digits, for people to type."""
    return f"{secrets.randbelow(10**count):0{count}}"


def new_word(chars: int) -> str:
    """`chars` random letters and digits without look-alikes, for people to copy by hand: 5 bits
    each.
    """
    return "".join(secrets.choice(_CROCKFORD) for _ in range(chars))


def random_bytes(count: int) -> bytes:
    """`count` random bytes."""
    return secrets.token_bytes(count)


def digest(secret: str) -> str:
    """SHA-256 of a high-entropy secret, in hex: what may be stored at rest. What somebody sends in
    its place may hold bytes that aren't UTF-8, which aiohttp hands on as lone surrogates.
    """
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def same(a: str, b: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(a.encode(), b.encode())
