"""Secrets and signatures as the Standard Webhooks specification has them (standardwebhooks.com).

Whoever receives a delivery computes the same over what arrived: it then came from here, unchanged.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable

from mediaserver.kernel.ids import random_bytes

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """A random secret such as `whsec_MfKQ…`: the key in base64 behind a prefix for scanners."""
    return _PREFIX + base64.b64encode(random_bytes(_SECRET_BYTES)).decode()


def headers(
    secrets: Iterable[str], message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """What goes with `body`: one signature for each secret that still counts."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
