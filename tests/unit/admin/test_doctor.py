"""The doctor: each check says ok, warn or bad, what it means and what to do."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import tomllib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mediaserver.admin.backups import back_up_stopped_site
from mediaserver.admin.doctor import data, machine, network
from mediaserver.admin.doctor.doctor import Doctor
from mediaserver.admin.doctor.finding import Finding, Result, bad, ok, warn, worst
from mediaserver.admin.doctor.money import ways_to_pay
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.jobs import enqueue, job
from mediaserver.kernel.mail import Smtp

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def _go_on() -> None:
    pass


async def _nobody_asks() -> None:
    raise AssertionError("mail is checked by a click alone")


async def test_a_healthy_stopped_site(storage: Path, config: Config) -> None:
    clock = FakeClock(wall_ms=NOW_MS)
    (storage / "master.key").write_bytes(b"A" * 43 + b"=\n")
    (storage / "master.key").chmod(0o600)
    storage.chmod(0o700)
    config.http.port = config.rtmp.port = 0
    config.site.public_url = "https://live.example.org"
    config.mail.smtp_host = "mail.example.org"
    await back_up_stopped_site(config, clock, None, None)
    findings = await Doctor(config, clock, _nobody_asks).examine()
    assert [one for one in findings if one.result != Result.OK] == []
    assert all(one.meaning and not one.advice for one in findings)
    assert len({one.name for one in findings}) == len(findings)
    assert {one.name for one in findings} >= {
        *("python", "libraries", "sqlite", "storage", "free_space", "master_key", "open_files"),
        *("clock", "database", "audit", "jobs", "backups", "http_port", "rtmp_port"),
        *("public_url", "mail", "payments"),
    }


async def test_before_the_first_start_nothing_is_made(tmp_path: Path) -> None:
    config = Config.model_validate({"storage": {"path": tmp_path / "new"}})
    findings = await Doctor(config, FakeClock(NOW_MS), _nobody_asks).examine()
    assert not (tmp_path / "new").exists()
    assert {one.result for one in findings if one.name in ("storage", "database")} == {Result.OK}


def test_the_most_serious_counts() -> None:
    fine, so_so, broken = ok("a", "A", "x"), warn("b", "B", "x", "y"), bad("c", "C", "x", "y")
    assert worst([]) == worst([fine]) == Result.OK
    assert worst([fine, so_so]) == Result.WARN
    assert worst([broken, so_so]) == Result.BAD


# The machine --------------------------------------------------------------------------------------


def test_pins_are_those_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"]
    pinned = dict(one.split("==") for one in wanted if "==" in one.partition(";")[0])
    assert pinned == machine.PINNED


def test_libraries() -> None:
    versions: dict[str, str | None] = {
        **machine.PINNED,
        "aiohttp": "3",
        "av": "1",
        "sqlalchemy": "2",
    }
    assert machine.libraries(versions).result == Result.OK
    other = machine.libraries(versions | {"pyrtmp": "9.9"})
    assert other.result == Result.BAD
    assert "pyrtmp is 9.9 instead of 0.3.1" in other.meaning
    assert "av" in machine.libraries(versions | {"av": None}).meaning


def test_sqlite_versions() -> None:
    assert machine.sqlite((3, 40, 1)).result == Result.OK
    assert machine.sqlite((3, 31, 0)).result == Result.BAD


def test_storage(storage: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.chmod(0o755)
    assert machine.storage(config)[0].result == Result.WARN
    storage.chmod(0o700)
    assert machine.storage(config)[0].result == Result.OK
    config.storage.path = storage / "mediaserver.db"
    found = machine.storage(config)
    assert [one.result for one in found] == [Result.BAD]
    assert "can't be written" in found[0].meaning


def test_free_space() -> None:
    for free, result in ((10**10, "ok"), (500 * limits.MIB, "warn"), (10 * limits.MIB, "bad")):
        assert machine.free_space(free).result == result


def test_master_key(storage: Path, config: Config) -> None:
    key = storage / "master.key"
    assert machine.master_key(config).result == Result.BAD, "it is no key"
    key.write_bytes(b"A" * 43 + b"=\n")
    key.chmod(0o644)
    assert machine.master_key(config).result == Result.WARN
    key.chmod(0o600)
    assert machine.master_key(config).result == Result.OK
    key.unlink()
    assert machine.master_key(config).result == Result.WARN
    assert not key.exists(), "looking makes none"
    config.storage.master_key = "in the environment"
    assert machine.master_key(config).result == Result.OK


def test_open_files() -> None:
    assert machine.open_files_of(1024).result == Result.WARN
    assert machine.open_files_of(65_536).result == Result.OK


async def test_the_clock(config: Config) -> None:
    assert machine.clock(0, 0).result == Result.BAD
    assert machine.clock(NOW_MS, 0).result == Result.OK
    clock = FakeClock(wall_ms=NOW_MS)
    doctor = Doctor(config, clock, _nobody_asks)
    clock.advance(HOUR_MS)
    clock.set_wall(-60_000)
    (found,) = [one for one in await doctor.examine() if one.name == "clock"]
    assert found.result == Result.WARN
    assert "-60 s" in found.meaning


def test_certificates(config: Config, tmp_path: Path) -> None:
    assert machine.certificate(config, NOW_MS) == []
    path = tmp_path / "certificate.pem"
    config.http.tls_certificate = str(path)
    assert machine.certificate(config, NOW_MS)[0].result == Result.BAD
    ends = datetime.now(UTC) + timedelta(days=100)
    issued = trustme.CA().issue_cert("localhost", not_after=ends)
    issued.cert_chain_pems[0].write_to_path(path)
    ends_ms = int(ends.timestamp() * 1000)
    for left_days, result in ((60, "ok"), (5, "warn"), (-1, "bad")):
        (found,) = machine.certificate(config, ends_ms - left_days * 24 * HOUR_MS)
        assert found.result == result


# The data -----------------------------------------------------------------------------------------


def _named(findings: list[Finding], name: str) -> Finding:
    (found,) = [one for one in findings if one.name == name]
    return found


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096, 3):
        content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(content)


def test_a_damaged_database(storage: Path) -> None:
    path = storage / "mediaserver.db"
    assert _named(data.sqlite_database(path, NOW_MS, _go_on), "database").result == Result.OK
    _damage(path)
    found = _named(data.sqlite_database(path, NOW_MS, _go_on), "database")
    assert found.result == Result.BAD
    assert "restore" in found.advice


def test_a_changed_audit_log_a_lost_row_and_a_newer_schema(storage: Path) -> None:
    path = storage / "mediaserver.db"
    database = sqlite3.connect(path)
    database.execute("DROP TRIGGER audit_entry_no_delete")
    database.execute("DELETE FROM audit_entry WHERE sequence = 2")
    database.execute(
        "INSERT INTO notice_choice (user_id, topic, by_mail) VALUES ('usr_nobody', 'admin', 1)"
    )
    database.commit()
    findings = data.sqlite_database(path, NOW_MS, _go_on)
    assert _named(findings, "audit").result == Result.BAD
    lost = _named(findings, "database")
    assert lost.result == Result.WARN
    assert "row of notice_choice" in lost.meaning
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    assert _named(data.sqlite_database(path, NOW_MS, _go_on), "database").result == Result.BAD


def test_a_database_too_large_to_be_read(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise data.TooSlow("It is too large to be read while you wait.")

    monkeypatch.setattr(limits, "BACKUP_STOP_OPCODES", 1)
    (found,) = data.sqlite_database(storage / "mediaserver.db", NOW_MS, stop)
    assert found.result == Result.WARN
    assert "too large" in found.meaning


async def test_work_that_was_given_up(db: Database, database_url: str) -> None:
    def fill(tx: Transaction) -> None:
        for at_ms in (1, 2):
            enqueue(tx, "webhook", {}, at_ms)
        tx.execute(job.update().values(state="dead", ended_at_ms=1))
        enqueue(tx, "mail", {}, NOW_MS - 2 * HOUR_MS)
        enqueue(tx, "mail", {}, NOW_MS)

    async def look() -> list[Finding]:
        if not db.is_sqlite:
            return await data.postgresql_database(database_url, NOW_MS)
        path = Path(database_url.removeprefix("sqlite+aiosqlite:///"))
        return await asyncio.to_thread(data.sqlite_database, path, NOW_MS, _go_on)

    assert {one.result for one in await look()} == {Result.OK}
    await db.write(fill)
    findings = await look()
    assert "2 of kind webhook" in _named(findings, "jobs").meaning
    assert "1 mails" in _named(findings, "mail_queue").meaning
    assert worst(findings) == Result.WARN


async def test_postgresql_that_does_not_answer(tmp_path: Path) -> None:
    url = f"postgresql+asyncpg://x@/y?host={tmp_path}"
    (found,) = await data.postgresql_database(url, NOW_MS)
    assert found.result == Result.BAD


async def test_backups(storage: Path, config: Config) -> None:
    clock = FakeClock(wall_ms=NOW_MS)
    assert data.backups(config, NOW_MS).result == Result.WARN, "none yet"
    await back_up_stopped_site(config, clock, None, None)
    assert data.backups(config, NOW_MS + 71 * HOUR_MS).result == Result.OK
    assert data.backups(config, NOW_MS + 74 * HOUR_MS).result == Result.WARN
    config.backup.every_hours = 240
    assert data.backups(config, NOW_MS + 74 * HOUR_MS).result == Result.OK
    from_the_future = data.backups(config, NOW_MS - HOUR_MS)
    assert from_the_future.result == Result.WARN
    assert "beyond now" in from_the_future.meaning


# Ports, addresses, mail ---------------------------------------------------------------------------


def test_ports(config: Config) -> None:
    config.http.host = config.rtmp.host = "127.0.0.1"
    config.rtmp.port = 0
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        config.http.port = other.getsockname()[1]
        web, encoders = network.ports(config, None)
        assert (web.result, encoders.result) == (Result.BAD, Result.OK)
        assert "in use" in web.meaning
        held = network.ports(config, network.Listening(config.http.port, 1935))
        assert {one.result for one in held} == {Result.OK}
    assert network.ports(config, None)[0].result == Result.OK


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("", "warn"),
        ("http://live.example.org", "warn"),
        ("https://live.example.org", "ok"),
        ("http://192.168.1.5:8080", "ok"),
        ("http://pi.local", "ok"),
    ],
)
def test_public_addresses(config: Config, url: str, result: str) -> None:
    config.site.public_url = url
    assert network.address(config).result == result


@pytest.mark.parametrize(
    ("line", "result"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "ok"),
        (b"HTTP/1.1 421 Misdirected\r\n\r\n", "bad"),
        (b"220 this is mail\r\n", "bad"),
        (b"", "bad"),
        (b"x" * 100_000, "bad"),
    ],
)
async def test_whether_the_site_answers(config: Config, line: bytes, result: str) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(line)
        writer.close()

    config.site.public_url = "https://live.example.org"
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await network.own_answer(config, port)).result == result
    assert b"Host: live.example.org\r\n" in asked[0]
    assert (await network.own_answer(config, port)).result == Result.BAD, "nobody listens"


def _may_log_in(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: LoginPassword
) -> AuthResult:
    return AuthResult(success=auth.password == b"right", handled=False)


@pytest.fixture
async def mail_server() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(object(), authenticator=_may_log_in, auth_require_tls=False),
        host="127.0.0.1",
        port=0,
    )
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_the_mail_server(config: Config, mail_server: int) -> None:
    clock = FakeClock(NOW_MS)
    doctor = Doctor(config, clock, Smtp(config.mail, "a@example.org", clock).check)
    assert (await doctor.mail_server()).result == Result.WARN, "none is set"
    config.mail.smtp_host, config.mail.smtp_port = "127.0.0.1", mail_server
    config.mail.smtp_security = "none"
    assert (await doctor.mail_server()).result == Result.OK
    config.mail.smtp_username, config.mail.smtp_password = "me", "right"
    assert (await doctor.mail_server()).result == Result.OK
    config.mail.smtp_password = "wrong"
    refused = await doctor.mail_server()
    assert refused.result == Result.BAD
    assert "[mail]" in refused.advice
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        config.mail.smtp_port = free.getsockname()[1]
    assert (await doctor.mail_server()).result == Result.BAD


@pytest.mark.parametrize(
    ("money", "stripe", "result", "says"),
    [
        ({"enabled": False}, {}, "ok", "turned off"),
        ({}, {}, "ok", "Test money: the sandbox."),
        ({"production": True}, {}, "warn", "no way to pay"),
        ({"production": True, "manual_instructions": "IBAN"}, {}, "ok", "bank transfer"),
        ({"production": True}, {"secret_key": "sk_live_1"}, "warn", "can't tell"),
        (
            {"production": True},
            {"secret_key": "sk_live_1", "webhook_secret": "whsec_1"},
            "ok",
            "Real money by Stripe.",
        ),
    ],
)
def test_ways_to_pay(
    money: dict[str, object], stripe: dict[str, str], result: str, says: str
) -> None:
    found = ways_to_pay(Config.model_validate({"money": money, "stripe": stripe}))
    assert found.result == result
    assert says in found.meaning
