"""A changed setting counts for what is running: the same section is read again each time."""

from __future__ import annotations

import pytest

from mediaserver.kernel.audit import SITE
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config, load_config
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import Metrics
from mediaserver.kernel.settings import Settings
from mediaserver.media.admission import Admission, Full
from mediaserver.media.broadcasts import Broadcasts
from mediaserver.media.gate import PublishGrant, PublishRefused
from mediaserver.media.live_stream import LiveStream
from mediaserver.media.origin import Origin
from mediaserver.media.parts import PRESETS
from tests.unit.media.broadcasting import FakePublisher


async def test_viewers_max(db: Database, clock: FakeClock) -> None:
    config, origin = Config(), Origin()
    settings = await Settings.open(db, clock, config)
    stream = LiveStream("session", PRESETS["low"], 40, clock)
    origin.add("film", stream)
    admission = Admission(config.media, origin)
    stream.seen("one")
    admission.admit(stream, "two")
    await settings.change(SITE, "media.viewers_max", "1")
    with pytest.raises(Full):
        admission.admit(stream, "two")
    await settings.reset(SITE, "media.viewers_max")
    admission.admit(stream, "two")


async def test_streams_max(db: Database, clock: FakeClock, events: Events) -> None:
    config = Config()
    settings = await Settings.open(db, clock, config)
    broadcasts = Broadcasts(config.media, config.rtmp, Origin(), clock, events, Metrics())
    broadcasts.open(PublishGrant("chn_1", "film", "key_1"), FakePublisher())
    await settings.change(SITE, "media.streams_max", "1")
    with pytest.raises(PublishRefused, match="too many streams"):
        broadcasts.open(PublishGrant("chn_2", "other", "key_2"), FakePublisher())
    await settings.change(SITE, "media.streams_max", "2")
    broadcasts.open(PublishGrant("chn_2", "other", "key_2"), FakePublisher())


async def test_the_environment_stands_above_what_admins_changed(
    db: Database, clock: FakeClock
) -> None:
    settings = await Settings.open(db, clock, Config())
    await settings.change(SITE, "site.name", "Changed")
    fixed = load_config(None, {"MEDIASERVER_SITE__NAME": "Fixed"})
    settings = await Settings.open(db, clock, fixed)
    assert fixed.site.name == "Fixed"
    with pytest.raises(Conflict):
        await settings.change(SITE, "site.name", "Changed")
    found = {one.key: one for one in settings.list()}["site.name"]
    assert (found.source, found.is_changeable) == ("environment", False)
    free = Config()
    await Settings.open(db, clock, free)
    assert free.site.name == "Changed"
