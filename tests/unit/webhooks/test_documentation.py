"""The documentation for receivers: its code works, and it names every event."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from mediaserver.webhooks import signature
from mediaserver.webhooks.envelopes import EventType

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "webhooks.md").read_text()


def test_the_code_that_checks_a_signature() -> None:
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert code is not None
    space: dict[str, Any] = {}
    exec(code[1], space)
    check = space["is_from_the_site"]
    old, new = signature.new_secret(), signature.new_secret()
    now_s, body = int(time.time()), b'{"id": 1}'
    headers = signature.headers([new, old], "evt_1", now_s, body)
    assert check(new, headers, body)
    assert check(old, headers, body)
    assert not check(signature.new_secret(), headers, body)
    assert not check(new, headers, body + b" ")
    assert not check(new, headers | {"webhook-id": "evt_2"}, body)
    long_ago = signature.headers([new], "evt_1", now_s - 600, body)
    assert not check(new, long_ago, body)


def test_every_event_is_named() -> None:
    for event in EventType:
        assert f"`{event}`" in TEXT
