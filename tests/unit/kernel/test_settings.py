"""Settings that an admin changes while the site runs."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert

from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config, load_config
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.settings import Settings, setting

ROOT = Actor("usr_root", "root", "192.0.2.1")


async def opened(
    db: Database, clock: FakeClock, environment: dict[str, str] | None = None
) -> tuple[Settings, Config]:
    config = load_config(None, environment or {})
    return await Settings.open(db, clock, config), config


async def test_a_change_counts_at_once_and_after_a_restart(db: Database, clock: FakeClock) -> None:
    settings, config = await opened(db, clock)
    section = config.media
    changed = await settings.change(ROOT, "media.viewers_max", "7")
    assert (changed.value, changed.source, section.viewers_max) == (7, "admin", 7)
    _, again = await opened(db, clock)
    assert again.media.viewers_max == 7
    (entry,) = await db.read(audit.page)
    assert (entry.action, entry.target_id, entry.actor) == (
        "setting.change",
        "media.viewers_max",
        "root",
    )
    assert entry.details == {"before": 0, "after": 7}


async def test_reset(db: Database, clock: FakeClock) -> None:
    settings, config = await opened(db, clock)
    await settings.change(ROOT, "site.name", "Ours")
    back = await settings.reset(ROOT, "site.name")
    assert (back.value, back.source) == (Config().site.name, "default")
    assert config.site.name == Config().site.name
    assert (await opened(db, clock))[1].site.name == Config().site.name
    assert len(await db.read(audit.page)) == 2
    await settings.reset(ROOT, "site.name")
    assert len(await db.read(audit.page)) == 2, "nothing was changed, so there is nothing to tell"


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("site.name", "", Invalid),
        ("site.name", "x" * 61, Invalid),
        ("site.accent", "red; } body {", Invalid),
        ("accounts.registration", "perhaps", Invalid),
        ("media.viewers_max", -1, Invalid),
        ("media.viewers_max", "many", Invalid),
        ("media.viewers_max", None, Invalid),
        ("http.port", 80, Conflict),
        ("storage.master_key", "x", Conflict),
        ("no.such", 1, NotFound),
        ("site", 1, NotFound),
        ("site.", 1, NotFound),
        ("", 1, NotFound),
        ("site.model_config", 1, NotFound),
    ],
)
async def test_what_cant_be_changed(
    db: Database, clock: FakeClock, key: str, value: object, kind: type[Exception]
) -> None:
    settings, config = await opened(db, clock)
    before = config.model_dump()
    with pytest.raises(kind):
        await settings.change(ROOT, key, value)
    assert config.model_dump() == before
    assert await db.read(audit.page) == []


async def test_the_environment_comes_first(db: Database, clock: FakeClock) -> None:
    settings, _ = await opened(db, clock)
    await settings.change(ROOT, "site.name", "Ours")
    settings, config = await opened(db, clock, {"MEDIASERVER_SITE__NAME": "Theirs"})
    assert config.site.name == "Theirs"
    with pytest.raises(Conflict):
        await settings.change(ROOT, "site.name", "Ours again")
    shown = {one.key: one for one in settings.list()}
    assert (shown["site.name"].source, shown["site.name"].is_changeable) == ("environment", False)


async def test_a_stored_value_that_is_wrong_by_now_is_left_out(
    db: Database, clock: FakeClock
) -> None:
    for key, value in (("site.name", ""), ("gone.key", 1), ("site.description", "Fine.")):
        row = insert(setting).values(key=key, value=json.dumps(value), changed_at_ms=1)
        await db.write(lambda tx, row=row: tx.execute(row))
    _, config = await opened(db, clock)
    assert config.site.name == Config().site.name
    assert config.site.description == "Fine."


async def test_the_list_explains_all_and_shows_no_secret(db: Database, clock: FakeClock) -> None:
    environment = {
        "MEDIASERVER_MAIL__SMTP_PASSWORD": "hunter2hunter2",
        "MEDIASERVER_DATABASE__URL": "postgresql://u:hunter2@h/d",
    }
    settings, config = await opened(db, clock, environment)
    shown = settings.list()
    assert all(one.description for one in shown)
    assert "hunter2" not in repr(shown)
    keys = {f"{section}.{name}" for section, table in config.model_dump().items() for name in table}
    assert {one.key for one in shown} == keys
    registration = next(one for one in shown if one.key == "accounts.registration")
    assert registration.choices == ("open", "closed")


async def test_bank_details_keep_their_lines(db: Database, clock: FakeClock) -> None:
    settings, _ = await opened(db, clock)
    typed = "Bank of Somewhere\r\nDE00 1234\r\n"
    changed = await settings.change(ROOT, "money.manual_instructions", typed)
    assert (changed.value, changed.is_long) == ("Bank of Somewhere\nDE00 1234", True)
    _, again = await opened(db, clock)
    assert again.money.manual_instructions == changed.value
    with pytest.raises(Invalid):
        await settings.change(ROOT, "money.manual_instructions", "x" * 2_001)
