"""Who may have webhooks, what is refused, and what becomes of secrets."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit, limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.vault import Vault
from mediaserver.webhooks import webhooks as rows
from mediaserver.webhooks.envelopes import EventType, choices
from mediaserver.webhooks.webhooks import Asker, Webhooks, webhook
from tests.unit.webhooks.conftest import URL


async def test_the_owner_makes_changes_and_removes_one(
    webhooks: Webhooks, owner: Asker, channel: Channel
) -> None:
    made, secret = await webhooks.create(owner, f" {URL} ", ["stream.offline", "stream.online"])
    assert secret.startswith("whsec_")
    assert (made.url, made.channel_id, made.is_on) == (URL, channel.id, True)
    assert made.events == (EventType.STREAM_ONLINE, EventType.STREAM_OFFLINE)
    assert await webhooks.list(owner) == [made]
    assert await webhooks.get(owner, made.id) == made

    changed = await webhooks.change(
        owner, made.id, url="https://other.example/", events=["chat.message"], is_on=False
    )
    assert (changed.url, changed.events) == ("https://other.example/", (EventType.CHAT_MESSAGE,))
    assert (changed.is_on, changed.off_reason) == (False, "asked")
    changed = await webhooks.change(owner, made.id, is_on=True)
    assert (changed.is_on, changed.off_reason) == (True, None)
    assert await webhooks.change(owner, made.id) == changed

    await webhooks.remove(owner, made.id)
    assert await webhooks.list(owner) == []
    with pytest.raises(NotFound):
        await webhooks.get(owner, made.id)


async def test_who_may(
    webhooks: Webhooks, owner: Asker, desk: Asker, bob: User, admin: User, alice: User
) -> None:
    made, _ = await webhooks.create(owner, URL, ["stream.online"])
    of_site, _ = await webhooks.create(desk, URL, ["user.created"])
    for asker in (Asker(bob, "alice-tv"), Asker(bob), Asker(alice)):
        for deed in (
            webhooks.list(asker),
            webhooks.create(asker, URL, ["stream.online"]),
            webhooks.get(asker, made.id),
            webhooks.change(asker, made.id, is_on=False),
            webhooks.rotate(asker, made.id),
            webhooks.remove(asker, made.id),
        ):
            with pytest.raises(Forbidden):
                await deed
    with pytest.raises(NotFound):
        await webhooks.list(Asker(alice, "nobodys"))
    # Each is only found where it is.
    with pytest.raises(NotFound):
        await webhooks.get(desk, made.id)
    with pytest.raises(NotFound):
        await webhooks.get(owner, of_site.id)
    with pytest.raises(NotFound):
        await webhooks.get(owner, "whk_\0")
    assert await webhooks.list(Asker(admin, "alice-tv")) == [made]


@pytest.mark.parametrize(
    ("url", "chosen", "field"),
    [
        ("http://site.example/", ["stream.online"], "url"),
        ("https://127.0.0.1/", ["stream.online"], "url"),
        ("nonsense", ["stream.online"], "url"),
        ("", ["stream.online"], "url"),
        (URL, [], "events"),
        (URL, ["stream.online", "stream.exploded"], "events"),
        (URL, ["user.created"], "events"),  # the site's alone
        (URL, ["webhook.test"], "events"),  # comes unasked
        (URL, ["\0"], "events"),
    ],
)
async def test_bad_input(
    webhooks: Webhooks, owner: Asker, url: str, chosen: list[str], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await webhooks.create(owner, url, chosen)
    assert refused.value.field == field
    made, _ = await webhooks.create(owner, URL, ["stream.online"])
    with pytest.raises(Invalid) as refused:
        await webhooks.change(owner, made.id, url=url, events=chosen)
    assert refused.value.field == field
    assert await webhooks.list(owner) == [made]


async def test_there_are_so_many(webhooks: Webhooks, owner: Asker, desk: Asker) -> None:
    for asker in (owner, desk):
        for _ in range(limits.WEBHOOKS_MAX):
            await webhooks.create(asker, URL, ["stream.online"])
        with pytest.raises(Conflict) as refused:
            await webhooks.create(asker, URL, ["stream.online"])
        assert refused.value.code == "too_many_webhooks"


async def _secrets(db: Database, vault: Vault, webhook_id: str, clock: FakeClock) -> list[str]:
    sealed = await db.read(rows.sealed_secrets, webhook_id, clock.wall_ms())
    return rows.unsealed(vault, webhook_id, sealed)


async def test_secrets_are_sealed_and_the_old_one_counts_for_a_day(
    webhooks: Webhooks, owner: Asker, db: Database, vault: Vault, clock: FakeClock
) -> None:
    made, first = await webhooks.create(owner, URL, ["stream.online"])
    stored = await db.read(lambda tx: tx.execute(select(webhook)).one())
    assert first not in str(stored)
    assert await _secrets(db, vault, made.id, clock) == [first]

    _, second = await webhooks.rotate(owner, made.id)
    assert second != first
    assert await _secrets(db, vault, made.id, clock) == [second, first]
    clock.advance(limits.WEBHOOK_OLD_SECRET_MS)
    assert await _secrets(db, vault, made.id, clock) == [second]


async def test_what_admins_do_to_the_sites_own_is_in_the_audit_log(
    webhooks: Webhooks, desk: Asker, owner: Asker, db: Database
) -> None:
    await webhooks.create(owner, URL, ["stream.online"])
    made, secret = await webhooks.create(desk, URL, ["user.created"])
    await webhooks.change(desk, made.id, is_on=False)
    await webhooks.rotate(desk, made.id)
    await webhooks.remove(desk, made.id)
    entries = await db.read(audit.page, action="webhook.")
    assert [entry.action for entry in entries] == [
        "webhook.delete",
        "webhook.rotate",
        "webhook.change",
        "webhook.create",
    ]
    assert {(entry.actor, entry.target, entry.address) for entry in entries} == {
        ("root", URL, "192.0.2.1")
    }
    assert secret not in str(entries)


async def test_and_what_they_do_to_a_channels(
    webhooks: Webhooks, owner: Asker, admin: User, channel: Channel, db: Database
) -> None:
    made, _ = await webhooks.create(owner, URL, ["stream.online"])
    await webhooks.remove(Asker(admin, channel.slug), made.id)
    (entry,) = await db.read(audit.page, action="webhook.")
    assert (entry.action, entry.actor, entry.target) == ("webhook.delete", "root", "alice-tv")
    assert entry.details == {"id": made.id}


async def test_what_is_wanted(
    webhooks: Webhooks, owner: Asker, desk: Asker, db: Database, channel: Channel
) -> None:
    made, _ = await webhooks.create(owner, URL, ["stream.online"])
    of_site, _ = await webhooks.create(desk, URL, ["stream.online", "user.created"])
    off, _ = await webhooks.create(owner, URL, ["channel.follow"])
    await webhooks.change(owner, off.id, is_on=False)
    wanted = {
        channel.id: {EventType.STREAM_ONLINE},
        None: {EventType.STREAM_ONLINE, EventType.USER_CREATED},
    }
    assert await db.read(rows.wanted) == wanted
    for place, events in wanted.items():
        assert await db.read(rows.wanted_in, place) == events

    async def ids(event: EventType, channel_id: str | None) -> set[str]:
        return {one.id for one in await db.read(rows.wanting, event, channel_id)}

    assert await ids(EventType.STREAM_ONLINE, channel.id) == {made.id, of_site.id}
    assert await ids(EventType.STREAM_ONLINE, "chn_other") == {of_site.id}
    assert await ids(EventType.USER_CREATED, None) == {of_site.id}
    assert await ids(EventType.CHANNEL_FOLLOW, channel.id) == set()


async def test_the_copy_of_ones_data(
    webhooks: Webhooks, owner: Asker, db: Database, bob: User
) -> None:
    made, _ = await webhooks.create(owner, URL, ["stream.online"])
    assert await db.read(rows.export, owner.user.id) == [
        {"url": URL, "events": ["stream.online"], "created_at_ms": made.created_at_ms}
    ]
    assert await db.read(rows.export, bob.id) == []


def test_a_channel_is_offered_nothing_of_the_site() -> None:
    assert set(choices(of_site=True)) - set(choices(of_site=False)) == {
        EventType.USER_CREATED,
        EventType.USER_DELETED,
        EventType.USER_BANNED,
        EventType.REPORT_CREATED,
    }
