"""Live streams, mail, jobs, storage and the audit log at the admin desk."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from tests.functional.desk import make_admin
from tests.functional.platform_site import FakeStatus, Person, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def boss(site: Site) -> Person:
    return await make_admin(site)


class Refusing:
    """A mail server that knows nobody."""

    async def handle_RCPT(self, *_: Any) -> str:  # noqa: N802  # aiosmtpd asks for that name
        return "550 nobody of that name here"


async def _until(person: Person, path: str, wanted: Callable[[str], bool]) -> str:
    async with asyncio.timeout(20):
        while True:
            _, text, _ = await person.get(path)
            if wanted(text):
                return text
            await asyncio.sleep(0.02)


# Live streams -------------------------------------------------------------------------------------


async def test_who_is_live_and_ending_a_stream(site: Site, boss: Person) -> None:
    _, text, _ = await boss.get("/admin/live")
    assert "Nobody is live" in text
    await site.streamer("mira")
    site.media.broadcasts.statuses.append(FakeStatus("mira", viewers=12))
    _, text, _ = await boss.get("/admin/live")
    assert 'href="/admin/users/mira"' in text
    _, answer = await boss.api("GET", "/admin/live")
    assert [(one["channel"], one["viewers"]) for one in answer["streams"]] == [("mira", 12)]

    status, text, _ = await boss.post("/admin/live/mira/end", {"reason": " "})
    assert status == 422
    assert "This can&#39;t be empty." in text
    assert site.media.broadcasts.stopped == []
    status, _, response = await boss.post("/admin/live/mira/end", {"reason": "Not your film."})
    assert (status, response.headers["Location"]) == (303, "/admin/live")
    assert site.media.broadcasts.stopped == [("mira", "An admin ended this stream: Not your film.")]
    letter = await site.mailbox.letter(
        "mira@example.org", where=lambda one: "was ended" in one.subject
    )
    assert "Not your film." in letter.body
    _, answer = await boss.api("GET", "/admin/audit", params={"action": "stream.end"})
    assert answer["entries"][0]["details"]["reason"] == "Not your film."
    status, answer = await boss.api("POST", "/admin/live/nobody/end", {"reason": "x"})
    assert (status, answer["error"]["code"]) == (404, "not_live")


# Mail and jobs ------------------------------------------------------------------------------------


async def test_the_mailbox_of_a_site_without_mail_server(site: Site, boss: Person) -> None:
    _, text, _ = await boss.get("/admin/mail")
    assert "No mail yet" in text
    status, _, _ = await boss.post("/admin/mail/test")
    assert status == 303
    text = await _until(boss, "/admin/mail", lambda text: "mail works" in text)
    assert "To boss@example.org" in text
    _, answer = await boss.api("GET", "/admin/mail")
    assert answer["mails"][0]["subject"].startswith("A test")


async def test_mail_that_nobody_takes(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(lambda: SMTP(Refusing(), loop=loop), "127.0.0.1", 0)
    port = smtp.sockets[0].getsockname()[1]
    mail = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
    try:
        async with running_site(tmp_path, mail=mail) as site:
            boss = await make_admin(site)
            await boss.post("/admin/mail/test")
            text = await _until(boss, "/admin/mail", lambda text: "Given up" in text)
            assert "550" in text
            assert "A test" not in text, "a queued mail may hold a code"
            _, text, _ = await boss.get("/admin")
            assert "mail could not be sent" in text
            _, answer = await boss.api("GET", "/admin/mail/queue")
            dead = answer["mails"][0]
            assert set(dead) >= {"to", "last_error"}
            assert "body" not in dead
            status, _, _ = await boss.post("/admin/mail/retry", {"id": dead["id"]})
            assert status == 303
            await _until(boss, "/admin/mail", lambda text: "Given up" in text)
            status, _ = await boss.api("DELETE", f"/admin/jobs/{dead['id']}")
            assert status == 204
            _, text, _ = await boss.get("/admin/mail")
            assert "Nothing waits" in text
            status, answer = await boss.api("POST", f"/admin/jobs/{dead['id']}/retry")
            assert status == 404
            _, answer = await boss.api("GET", "/admin/audit", params={"action": "job."})
            assert [one["action"] for one in answer["entries"]] == ["job.drop", "job.retry"]
    finally:
        smtp.close()
        await smtp.wait_closed()


async def test_jobs(boss: Person) -> None:
    status, text, _ = await boss.get("/admin/jobs")
    assert status == 200
    assert "Nothing was given up" in text
    status, text, _ = await boss.post("/admin/jobs/retry", {"id": "job_nothing"})
    assert status == 404
    status, answer = await boss.api("GET", "/admin/jobs")
    assert (status, answer["dead"]) == (200, [])


async def test_storage(boss: Person) -> None:
    status, text, _ = await boss.get("/admin/storage")
    assert status == 200
    assert "Database" in text
    _, answer = await boss.api("GET", "/admin/storage")
    used = {use["kind"]: use["byte_count"] for use in answer["uses"]}
    assert used["database"] > 0
    assert used["backups"] == 0


# The audit log ------------------------------------------------------------------------------------


async def test_the_audit_log_is_searched(site: Site, boss: Person) -> None:
    await site.member("bob")
    await boss.api("PUT", "/admin/users/bob/role", {"role": "premium"})
    await boss.api("PUT", "/admin/settings/site.name", {"value": "Harbour"})
    for query, found in (
        ("", ["setting.change", "user.role"]),
        ("action=user.", ["user.role"]),
        ("action=user.role", ["user.role"]),
        ("action=user", []),
        ("actor=boss&target=bob", ["user.role"]),
        ("actor=@boss", ["setting.change", "user.role"]),
        ("actor=bob", []),
        ("target=site.name", ["setting.change"]),
        ("from=2000-01-01&until=2000-01-02", []),
        ("until=2000-01-02", []),
        ("from=2000-01-01", ["setting.change", "user.role"]),
        ("from=2999-01-01", []),
        ("action=%25", []),
    ):
        status, text, _ = await boss.get(f"/admin/audit?{query}")
        assert status == 200
        shown = [name for name in ("setting.change", "user.role") if f"<code>{name}</code>" in text]
        assert shown == found, query
    status, text, _ = await boss.get("/admin/audit?from=yesterday")
    assert status == 422
    assert "Write a day as 2026-11-20." in text
    status, _, _ = await boss.get("/admin/audit?before=x")
    assert status == 200


async def test_the_audit_log_is_taken_along(site: Site, boss: Person) -> None:
    await site.member("bob")
    await boss.api("PUT", "/admin/settings/site.name", {"value": "=HYPERLINK(1)"})
    await boss.api("PUT", "/admin/users/bob/role", {"role": "premium"})
    status, text, response = await boss.get("/admin/audit/audit.csv")
    assert status == 200
    assert response.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["action"] for row in rows] == ["audit.export", "user.role", "setting.change"]
    status, text, _ = await boss.get("/admin/audit/audit.json?action=user.")
    entries = json.loads(text)
    assert [entry["target"] for entry in entries] == ["bob"]
    status, text, _ = await boss.get("/admin/audit/audit.json?action=nothing")
    assert json.loads(text) == []


async def test_a_change_behind_the_back_of_the_site_is_found(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        boss = await make_admin(site)
        for name in ("One", "Two", "Three"):
            await boss.api("PUT", "/admin/settings/site.name", {"value": name})
        _, text, _ = await boss.post("/admin/audit/check")
        assert "The log is whole." in text
        assert "All 3 entries" in text
    database = sqlite3.connect(tmp_path / "storage" / "mediaserver.db")
    database.execute("DROP TRIGGER audit_entry_no_update")
    database.execute("UPDATE audit_entry SET actor = 'nobody' WHERE sequence = 2")
    database.commit()
    database.close()
    async with running_site(tmp_path) as site:
        boss = site.person()
        await boss.log_in_as_program("boss")
        status, answer = await boss.api("POST", "/admin/audit/check")
        assert status == 200
        assert (answer["is_whole"], answer["broken_at"], answer["reason"]) == (
            False,
            2,
            "changed",
        )
