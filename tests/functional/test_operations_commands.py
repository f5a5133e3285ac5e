"""`mediaserver backup`, `restore` and `doctor`, beside a site that runs and without one."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.functional.command_line import run_command_line, serving
from tests.functional.platform_site import PASSWORD

_CREATE = ("user", "create", "--password-stdin", "--username")


async def _create_user(tmp_path: Path, name: str) -> None:
    status, _, err = await run_command_line(
        tmp_path, *_CREATE, name, "--email", f"{name}@example.org", stdin=PASSWORD
    )
    assert (status, err) == (0, "")


def _users(database: Path) -> list[str]:
    connection = sqlite3.connect(database)
    try:
        return [row[0] for row in connection.execute("SELECT username FROM user_account")]
    finally:
        connection.close()


async def test_accounts_made_on_the_command_line_stand_in_the_audit_log(tmp_path: Path) -> None:
    await _create_user(tmp_path, "alice")
    async with serving(tmp_path):
        await _create_user(tmp_path, "bob")
    connection = sqlite3.connect(tmp_path / "storage" / "mediaserver.db")
    entries = connection.execute("SELECT actor, action, target FROM audit_entry").fetchall()
    connection.close()
    assert entries == [("the command line", "user.create", name) for name in ("alice", "bob")]


async def test_backup_and_restore_from_the_command_line(tmp_path: Path) -> None:
    status, out, err = await run_command_line(tmp_path, "backup")
    assert (status, out) == (1, "")
    assert "no site" in err
    await _create_user(tmp_path, "alice")
    async with serving(tmp_path):
        await _create_user(tmp_path, "bob")
        status, out, err = await run_command_line(tmp_path, "backup", "--to", "disk")
        assert (status, err) == (0, "")
        match = re.match(r"(/.*/disk/mediaserver-[0-9-]+\.tar)\n.* MB, 2 files", out)
        assert match is not None, out
        backup = match[1]
        status, _, err = await run_command_line(tmp_path, "restore", backup, "--force")
        assert status == 1
        assert "Stop it first" in err
        await _create_user(tmp_path, "carol")
    status, _, err = await run_command_line(tmp_path, "restore", backup)
    assert status == 1
    assert "--force" in err
    assert "carol" in _users(tmp_path / "storage" / "mediaserver.db")
    status, out, err = await run_command_line(tmp_path, "restore", backup, "--force")
    assert (status, err) == (0, "")
    assert "before-restore" in out
    assert _users(tmp_path / "storage" / "mediaserver.db") == ["alice", "bob"]
    async with serving(tmp_path):
        await _create_user(tmp_path, "dave")
    status, out, err = await run_command_line(tmp_path, "restore", backup, "--storage", "copy")
    assert (status, err) == (0, "")
    assert _users(tmp_path / "copy" / "mediaserver.db") == ["alice", "bob"]


async def test_backups_that_can_not_be_made_or_read(tmp_path: Path) -> None:
    await _create_user(tmp_path, "alice")
    (tmp_path / "file").write_text("no backup")
    for arguments, sentence in (
        (("backup", "--to", "file"), "can't be written"),
        (("restore", "file"), "file can't be restored"),
        (("restore", "nothing.tar"), "no file nothing.tar"),
    ):
        status, out, err = await run_command_line(tmp_path, *arguments)
        assert (status, out) == (1, "")
        assert sentence in err
        assert "Traceback" not in err
    for wrong in (("backup", "--keep", "0"), ("backup", "--keep", "x"), ("restore",)):
        assert (await run_command_line(tmp_path, *wrong))[0] == 2
    async with serving(tmp_path):
        status, _, err = await run_command_line(tmp_path, "backup", "--to", "file")
        assert status == 1
        assert "can't be written" in err


async def test_the_doctor_on_the_command_line(tmp_path: Path) -> None:
    status, out, err = await run_command_line(tmp_path, "doctor")
    assert (status, err) == (0, "")
    assert not (tmp_path / "storage").exists(), "looking makes nothing"
    async with serving(tmp_path):
        status, out, err = await run_command_line(tmp_path, "doctor", "--json")
        assert (status, err) == (0, "")
        findings = {one["name"]: one for one in json.loads(out)}
        assert findings["database"]["result"] == "ok"
        assert "listens on" in findings["http_port"]["meaning"], "the running site was asked"
        assert findings["answer"]["result"] == "ok"
    database = tmp_path / "storage" / "mediaserver.db"
    database.write_bytes(b"this is no database" * 1000)
    database.with_name("mediaserver.db-wal").unlink(missing_ok=True)
    status, out, err = await run_command_line(tmp_path, "doctor")
    assert (status, err) == (1, "")
    assert "\nbad   Database: " in out
    assert "      → Stop the site and restore the newest backup" in out


@pytest.mark.postgres
async def test_the_doctor_asks_a_site_with_postgresql_too(tmp_path: Path, postgresql: Any) -> None:
    url = await postgresql.new_database()
    async with serving(tmp_path, url):
        status, out, err = await run_command_line(tmp_path, "doctor", "--json", database_url=url)
        assert (status, err) == (0, "")
        findings = {one["name"]: one for one in json.loads(out)}
        assert "listens on" in findings["http_port"]["meaning"]
        assert "listens on" in findings["rtmp_port"]["meaning"]
    status, out, err = await run_command_line(tmp_path, "doctor", database_url=url)
    assert (status, err) == (0, ""), "the socket of a site that ended is none"
