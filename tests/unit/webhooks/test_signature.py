"""Signatures, against the example of the specification and as a receiver checks them."""

from __future__ import annotations

import base64
import hashlib
import hmac

from mediaserver.webhooks import signature


def test_the_example_of_the_specification() -> None:
    """From the reference libraries of Standard Webhooks."""
    headers = signature.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_and_the_one_before() -> None:
    new, old = signature.new_secret(), signature.new_secret()
    assert new != old
    headers = signature.headers([new, old], "evt_1", 1, b"body")
    signatures = headers["webhook-signature"].split(" ")
    for secret, given in zip((new, old), signatures, strict=True):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        assert len(key) == 32
        expected = hmac.new(key, b"evt_1.1.body", hashlib.sha256).digest()
        assert given == "v1," + base64.b64encode(expected).decode()


def test_everything_is_signed() -> None:
    secret = signature.new_secret()
    seen = {
        signature.headers([secret], message_id, timestamp_s, body)["webhook-signature"]
        for message_id, timestamp_s, body in (
            ("evt_1", 1, b"a"),
            ("evt_2", 1, b"a"),
            ("evt_1", 2, b"a"),
            ("evt_1", 1, b"b"),
        )
    }
    assert len(seen) == 4
