"""Who may publish, and what the others are told."""

from __future__ import annotations

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.channels.publish_gate import PublishGranted, StreamKeyGate
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.events import Events
from mediaserver.media.gate import PublishGate, PublishGrant, PublishRefused, PublishRequest


@pytest.fixture
def gate(db: Database, throttles: Throttles, events: Events, clock: FakeClock) -> PublishGate:
    return StreamKeyGate(db, throttles, events, clock)


def _request(key: str, app: str = "live", address: str = "1.1.1.1") -> PublishRequest:
    return PublishRequest(app=app, stream_key=key, peer_address=address, encoder="OBS")


async def test_a_right_key(
    gate: PublishGate, stream_keys: StreamKeys, channel: Channel, alice: User, events: Events
) -> None:
    seen: list[PublishGranted] = []
    events.subscribe(PublishGranted, seen.append)
    made, secret = await stream_keys.create(alice, "alice-tv", "OBS")
    grant = PublishGrant(channel.id, "alice-tv", made.id)
    assert await gate.authorise(_request(secret)) == grant
    assert await gate.authorise(_request(f" {secret}\n", app="live/")) == grant
    assert seen == [PublishGranted("alice-tv", made.id)] * 2


@pytest.mark.parametrize(
    ("key", "app", "sentence"),
    [
        ("", "live", "No stream key"),
        ("alice", "live", "not a stream key"),
        ("live_" + "x" * 27, "live", "unknown"),
        ("live_" + "x" * 27, "app", "must end in /live"),
        ("x" * 100_000, "live", "not a stream key"),
        ("live_\0" + "x" * 26, "live", "not a stream key"),
    ],
)
async def test_refusals_say_what_to_do(
    gate: PublishGate, key: str, app: str, sentence: str
) -> None:
    with pytest.raises(PublishRefused, match=sentence) as caught:
        await gate.authorise(_request(key, app))
    assert not key or key not in caught.value.description


async def test_a_revoked_key(
    gate: PublishGate, stream_keys: StreamKeys, channel: Channel, alice: User
) -> None:
    made, secret = await stream_keys.create(alice, "alice-tv", "OBS")
    await stream_keys.revoke(alice, "alice-tv", made.id)
    with pytest.raises(PublishRefused, match="revoked"):
        await gate.authorise(_request(secret))


async def test_guessing_is_slowed_down(
    gate: PublishGate, stream_keys: StreamKeys, channel: Channel, alice: User, clock: FakeClock
) -> None:
    made, secret = await stream_keys.create(alice, "alice-tv", "OBS")
    for number in range(limits.GATE_FAILURES_BURST):
        with pytest.raises(PublishRefused, match="unknown"):
            await gate.authorise(_request("live_" + "x" * 27, address=f"2001:db8::{number}"))
    with pytest.raises(PublishRefused, match="Too many"):
        await gate.authorise(_request(secret, address="2001:db8::6:6:6"))
    assert (await gate.authorise(_request(secret))).stream_key_id == made.id
    clock.advance(limits.GATE_FAILURES_INTERVAL_MS)
    assert (await gate.authorise(_request(secret, address="2001:db8::1"))).stream_key_id == made.id


async def test_without_a_database_the_encoder_may_come_back(
    gate: PublishGate, db: Database
) -> None:
    await db.aclose()
    with pytest.raises(PublishRefused, match="busy") as caught:
        await gate.authorise(_request("live_" + "x" * 27))
    assert caught.value.code == "NetStream.Publish.Failed"
