"""Verification: documents and requests from the upload to the decision, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import User, Users
from mediaserver.channels import documents as documents_module
from mediaserver.channels import verifications as verifications_module
from mediaserver.channels.documents import JOB, Documents
from mediaserver.channels.policies import Policies
from mediaserver.channels.verifications import Verifications
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.images import Images
from mediaserver.kernel.mail import JOB as MAIL
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from mediaserver.kernel.worker import Worker
from mediaserver.notifications.notices import Notices
from tests import documents as samples
from tests import pictures

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
async def documents(
    db: Database, clock: FakeClock, vault: Vault, throttles: Throttles, folder: Path
) -> AsyncIterator[Documents]:
    async with Documents(db, clock, vault, throttles, Images(), folder) as made:
        yield made


@pytest.fixture
def verifications(
    db: Database, clock: FakeClock, vault: Vault, throttles: Throttles
) -> Verifications:
    letterhead = Letterhead(lambda: "Site", lambda: "https://site.example")
    return Verifications(db, clock, vault, throttles, letterhead, AccountsConfig())


@pytest.fixture
def jobs(db: Database, clock: FakeClock, events: Events, documents: Documents) -> Worker:
    made = Worker(db, clock, events)
    made.register(JOB, documents.delete_files)
    return made


@pytest.fixture
def actor(admin: User) -> Actor:
    return Actor(admin.id, admin.username, "192.0.2.9")


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


async def test_a_document_is_sealed_and_read_by_few(
    documents: Documents, folder: Path, alice: User, bob: User, admin: User, db: Database
) -> None:
    made = await documents.add(alice, samples.pdf())
    (name,) = _files(folder)
    assert name == f"{made.id}.sealed"
    assert b"PDF" not in (folder / name).read_bytes()
    assert folder.stat().st_mode & 0o077 == 0
    assert await documents.read(alice, made.id) == (made, samples.pdf())
    assert await db.read(audit.page) == []
    actor = Actor(admin.id, admin.username, "192.0.2.9")
    assert (await documents.read_for(actor, made.id))[1] == samples.pdf()
    (entry,) = await db.read(audit.page)
    assert (entry.actor, entry.action, entry.target_id) == ("root", "document.read", made.id)
    for user, document_id in (
        (bob, made.id),
        (admin, made.id),  # at the desk only, where it is written down
        (alice, "doc_nobody"),
        (alice, "../master.key"),
    ):
        with pytest.raises(NotFound):
            await documents.read(user, document_id)
    with pytest.raises(NotFound):
        await documents.read_for(actor, "../master.key")


async def test_a_picture_is_made_anew(documents: Documents, alice: User) -> None:
    sent = pictures.jpeg(640, 480) + b"<script>alert(1)</script>"
    made = await documents.add(alice, sent)
    _, kept = await documents.read(alice, made.id)
    assert (made.kind, made.media_type) == ("picture", "image/webp")
    assert kept.startswith(b"RIFF")
    assert b"script" not in kept


async def test_a_file_that_was_moved_opens_nowhere(
    documents: Documents, folder: Path, alice: User
) -> None:
    one = await documents.add(alice, samples.pdf())
    two = await documents.add(alice, samples.pdf(after=b"\n"))
    (folder / f"{one.id}.sealed").replace(folder / f"{two.id}.sealed")
    with pytest.raises(Unavailable):
        await documents.read(alice, two.id)
    with pytest.raises(NotFound):
        await documents.read(alice, one.id)


async def test_what_is_refused_leaves_nothing(
    documents: Documents, folder: Path, alice: User
) -> None:
    for wrong in (samples.pdf_and_zip(), samples.svg(), pictures.png_bomb(), b""):
        with pytest.raises(Invalid):
            await documents.add(alice, wrong)
    with pytest.raises(TooLarge):
        await documents.add(alice, samples.pdf() + bytes(limits.DOCUMENT_BYTES_MAX))
    assert _files(folder) == []
    assert await documents.waiting(alice) == []


async def test_so_many_and_no_more(documents: Documents, folder: Path, alice: User) -> None:
    added = await asyncio.gather(
        *(documents.add(alice, samples.pdf(after=b"\n" * n)) for n in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in added) == 2
    assert len(await documents.waiting(alice)) == limits.DOCUMENTS_MAX == len(_files(folder))


async def test_discarding(
    documents: Documents, folder: Path, alice: User, bob: User, jobs: Worker
) -> None:
    made = await documents.add(alice, samples.pdf())
    with pytest.raises(NotFound):
        await documents.discard(bob, made.id)
    await documents.discard(alice, made.id)
    await jobs.run_due()
    assert (_files(folder), await documents.waiting(alice)) == ([], [])
    with pytest.raises(NotFound):
        await documents.discard(alice, made.id)


async def test_what_is_never_sent_goes_after_a_day(
    documents: Documents, folder: Path, alice: User, jobs: Worker, clock: FakeClock
) -> None:
    await documents.add(alice, samples.pdf())
    clock.advance(limits.DOCUMENT_WAITING_MS - 1)
    await documents.delete_unsent()
    assert len(await documents.waiting(alice)) == 1
    clock.advance(2)
    await documents.delete_unsent()
    await jobs.run_due()
    assert (_files(folder), await documents.waiting(alice)) == ([], [])


async def test_files_of_a_crash_go_at_the_start(
    documents: Documents, folder: Path, alice: User
) -> None:
    kept = await documents.add(alice, samples.pdf())
    (folder / "doc_0123456789abcdefghjk.sealed").write_bytes(b"x")
    (folder / "doc_0123456789abcdefghjk.new").write_bytes(b"x")
    async with documents:
        assert _files(folder) == [f"{kept.id}.sealed"]


async def test_asking_and_being_approved(
    documents: Documents,
    verifications: Verifications,
    alice: User,
    admin: User,
    actor: Actor,
    users: Users,
    db: Database,
    clock: FakeClock,
) -> None:
    await documents.add(alice, samples.pdf())
    asked = await verifications.submit(alice, "Alice Example", "I paint.\nEvery day.")
    assert (asked.state, asked.legal_name, len(asked.documents)) == (
        "submitted",
        "Alice Example",
        1,
    )
    assert await documents.waiting(alice) == []
    notices = Notices(db, clock)
    (notice,) = await notices.page(admin)
    assert notice.path == f"/admin/verification/{asked.id}"
    approved = await verifications.approve(actor, asked.id)
    assert (approved.state, approved.decided_by) == ("approved", "root")
    found = await users.by_id(alice.id)
    assert found is not None
    assert found.is_verified
    assert [one.title for one in await notices.page(alice)] == ["You are verified"]
    (entry,) = await db.read(audit.page)
    assert (entry.action, entry.target) == ("verification.approve", "alice")
    with pytest.raises(Conflict, match="verified"):
        await verifications.submit(found, "Alice", "")


async def test_the_name_is_not_readable_in_the_database(
    documents: Documents, verifications: Verifications, alice: User, db: Database
) -> None:
    await documents.add(alice, samples.pdf())
    await verifications.submit(alice, "Alice Example", "")
    table = verifications_module.verification
    stored = await db.read(lambda tx: tx.execute(table.select()).one())
    assert "Alice" not in str(stored)


async def test_rejected_with_a_reason_and_asked_again(
    documents: Documents,
    verifications: Verifications,
    alice: User,
    actor: Actor,
    db: Database,
    clock: FakeClock,
) -> None:
    await documents.add(alice, samples.pdf())
    first = await verifications.submit(alice, "Alice", "")
    with pytest.raises(Conflict):
        await verifications.submit(alice, "Alice", "")
    for reason in ("", "  \n"):
        with pytest.raises(Invalid):
            await verifications.reject(actor, first.id, reason)
    await verifications.reject(actor, first.id, "It is blurred.")
    (notice,) = await Notices(db, clock).page(alice)
    assert "It is blurred." in notice.body
    with pytest.raises(Invalid) as caught:
        await verifications.submit(alice, "Alice", "")
    assert caught.value.field == "documents", "the old ones don't count"
    clock.advance(1)
    await documents.add(alice, samples.pdf())
    second = await verifications.submit(alice, "Alice", "")
    assert [one.state for one in await verifications.of(alice)] == ["submitted", "rejected"]
    assert [one.id for one in await verifications.page(("submitted",))] == [second.id]


async def test_a_badge_is_taken_back(
    documents: Documents,
    verifications: Verifications,
    alice: User,
    actor: Actor,
    users: Users,
    db: Database,
) -> None:
    await documents.add(alice, samples.pdf())
    asked = await verifications.submit(alice, "Alice", "")
    with pytest.raises(Conflict):
        await verifications.withdraw(actor, asked.id, "Too early.")
    await verifications.approve(actor, asked.id)
    with pytest.raises(Invalid):
        await verifications.withdraw(actor, asked.id, " ")
    withdrawn = await verifications.withdraw(actor, asked.id, "It was another Alice.")
    assert (withdrawn.state, withdrawn.reason) == ("rejected", "It was another Alice.")
    found = await users.by_id(alice.id)
    assert found is not None
    assert not found.is_verified
    assert (await db.read(audit.page))[0].action == "verification.withdraw"
    with pytest.raises(Conflict):
        await verifications.withdraw(actor, asked.id, "Twice.")


async def test_two_admins_at_once(
    documents: Documents, verifications: Verifications, alice: User, actor: Actor, db: Database
) -> None:
    await documents.add(alice, samples.pdf())
    asked = await verifications.submit(alice, "Alice", "")
    done = await asyncio.gather(
        verifications.approve(actor, asked.id),
        verifications.reject(actor, asked.id, "No."),
        verifications.approve(actor, asked.id),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in done) == 2
    assert len(await db.read(audit.page)) == 1


async def test_submitting_twice_at_once(
    documents: Documents, verifications: Verifications, alice: User
) -> None:
    await documents.add(alice, samples.pdf())
    done = await asyncio.gather(
        *(verifications.submit(alice, "Alice", "") for _ in range(2)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict | Invalid) for one in done) == 1
    assert len(await verifications.of(alice)) == 1


async def test_policies_come_first(
    documents: Documents, verifications: Verifications, alice: User, db: Database, clock: FakeClock
) -> None:
    await Policies(db, clock).begin()
    await documents.add(alice, samples.pdf())
    with pytest.raises(Forbidden) as caught:
        await verifications.submit(alice, "Alice", "")
    assert caught.value.code == "policies_not_accepted"


@pytest.mark.parametrize(
    "name", ["", " ", "\u202e", "a\x00b", "two\nlines", "\u2800", "x" * 121, "a" + "\u0301" * 9]
)
async def test_wrong_names(verifications: Verifications, alice: User, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        await verifications.submit(alice, name, "")
    assert caught.value.field == "legal_name"


async def test_directions_are_taken_out_of_names(
    documents: Documents, verifications: Verifications, alice: User
) -> None:
    await documents.add(alice, samples.pdf())
    asked = await verifications.submit(alice, "Alice \u202eelpmaxE", "")
    assert asked.legal_name == "Alice elpmaxE"


async def test_documents_go_some_days_after_the_decision(
    documents: Documents,
    verifications: Verifications,
    folder: Path,
    alice: User,
    actor: Actor,
    jobs: Worker,
    clock: FakeClock,
    db: Database,
) -> None:
    jobs.register(MAIL, _swallow)
    sent = await documents.add(alice, samples.pdf())
    asked = await verifications.submit(alice, "Alice", "")
    clock.advance(100 * DAY_MS)
    await verifications.delete_due_documents()
    assert len(_files(folder)) == 1, "nobody has decided yet"
    await verifications.approve(actor, asked.id)
    clock.advance(30 * DAY_MS - 1)
    await verifications.delete_due_documents()
    assert len(_files(folder)) == 1
    clock.advance(1)
    await verifications.delete_due_documents()
    while await jobs.run_due():
        pass
    assert _files(folder) == []
    (after,) = await verifications.of(alice)
    assert after.documents[0].deleted_at_ms == clock.wall_ms()
    assert (after.legal_name, after.state) == ("", "approved")
    with pytest.raises(NotFound):
        await documents.read(alice, sent.id)
    exported = await db.read(verifications.export, alice.id)
    assert exported[0]["documents"][0]["deleted_at_ms"] == clock.wall_ms()


async def test_all_goes_with_the_account(
    documents: Documents,
    verifications: Verifications,
    folder: Path,
    alice: User,
    jobs: Worker,
    db: Database,
    clock: FakeClock,
) -> None:
    jobs.register(MAIL, _swallow)
    await documents.add(alice, samples.pdf())
    await verifications.submit(alice, "Alice", "")
    await documents.add(alice, samples.pdf(after=b"\n"))
    assert len(_files(folder)) == 2
    await db.write(verifications_module.erase, alice.id, clock.wall_ms())
    while await jobs.run_due():
        pass
    assert _files(folder) == []
    assert all(one.deleted_at_ms for one in await db.read(documents_module.of_user, alice.id))


async def test_pages_of_the_queue(
    documents: Documents,
    verifications: Verifications,
    users: Users,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "VERIFICATIONS_LISTED_MAX", 2)
    names = [f"user{number}" for number in range(5)]
    for name in names:
        user = await users.create(name, f"{name}@example.org", "correct horse", is_admin=False)
        await documents.add(user, samples.pdf())
        await verifications.submit(user, name, "")
        clock.advance(1)
    seen: list[str] = []
    after = None
    while found := await verifications.page(("submitted",), after=after):
        assert len(found) <= 2
        seen += [one.username for one in found]
        after = found[-1].id
    assert seen == names
    assert await verifications.page(("submitted",), after="ver_nobody") == []


async def _swallow(_: dict[str, object]) -> None:
    return
