"""Mail: into the site's own mailbox, or to a real SMTP server on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mediaserver.kernel import limits, mail
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MailConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.jobs import page
from mediaserver.kernel.mail import Letterhead, Mail, Mailbox, Smtp, compose
from mediaserver.kernel.worker import GiveUp, Worker

SENDER = "Our Site <noreply@site.example>"
HELLO = Mail("alice@example.org", "Grüße · Site", "Hallo Zoë\n\nhttps://site.example\n")


class Post:
    """What a server does with mail: takes it, or answers `answer`."""

    def __init__(self, answer: str = "250 taken") -> None:
        self.answer = answer
        self.received: list[EmailMessage] = []

    async def handle_RCPT(  # noqa: N802  # the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.received.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


def _knows(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    is_right = (data.login, data.password) == (b"user", b"secret")
    return AuthResult(success=is_right, handled=False)


@asynccontextmanager
async def smtp_server(post: Post, **options: Any) -> AsyncIterator[MailConfig]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(post, **options), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield MailConfig(smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", sender=SENDER)
    finally:
        server.close()
        await server.wait_closed()


async def test_a_mail_arrives_as_it_was_written(clock: FakeClock) -> None:
    post = Post()
    async with smtp_server(post) as config:
        await Smtp(config, SENDER, clock).deliver(HELLO)
    (message,) = post.received
    assert message["To"] == HELLO.to
    assert message["From"] == SENDER
    assert message["Subject"] == HELLO.subject
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@site.example>")
    assert message.get_content().splitlines() == HELLO.body.splitlines()


async def test_the_server_refuses_an_address_for_good_or_for_now(clock: FakeClock) -> None:
    async with smtp_server(Post("550 nobody here")) as config:
        with pytest.raises(GiveUp, match="550"):
            await Smtp(config, SENDER, clock).deliver(HELLO)
    async with smtp_server(Post("451 come back later")) as config:
        with pytest.raises(Unavailable, match="451"):
            await Smtp(config, SENDER, clock).deliver(HELLO)


@pytest.mark.parametrize(("password", "lets_in"), [("secret", True), ("wrong", False)])
async def test_logging_in(clock: FakeClock, password: str, lets_in: bool) -> None:
    post = Post()
    options = {"authenticator": _knows, "auth_require_tls": False}
    async with smtp_server(post, **options) as config:
        config.smtp_username, config.smtp_password = "user", password
        smtp = Smtp(config, SENDER, clock)
        if lets_in:
            await smtp.check()
            await smtp.deliver(HELLO)
        else:
            with pytest.raises(Unavailable):
                await smtp.check()
            with pytest.raises(Unavailable, match="refused our log-in"):
                await smtp.deliver(HELLO)
    assert len(post.received) == lets_in


async def test_no_server_at_all(clock: FakeClock) -> None:
    async with smtp_server(Post()) as config:
        pass
    with pytest.raises(Unavailable):
        await Smtp(config, SENDER, clock).deliver(HELLO)
    with pytest.raises(Unavailable):
        await Smtp(config, SENDER, clock).check()


@pytest.mark.parametrize(
    "wrong",
    [
        Mail("alice@example.org\r\nBcc: all@example.org", "Hello", "x"),
        Mail("alice@example.org\nBcc: all@example.org", "Hello", "x"),
        Mail("alice@example.org", "Hello\r\nBcc: all@example.org", "x"),
        Mail("alice@example.org", "Hello\r\n\r\n<script>", "x"),
    ],
)
def test_no_header_can_be_slipped_in(wrong: Mail, clock: FakeClock) -> None:
    with pytest.raises(GiveUp):
        compose(wrong, SENDER, clock.wall_ms())


def test_a_site_name_with_a_line_break_makes_one_line() -> None:
    letterhead = Letterhead(lambda: "Our\r\nBcc: all@example.org", lambda: "https://site.example")
    written = letterhead.mail("alice@example.org", "Hello\nthere", "First.", "Second.")
    assert "\n" not in written.subject
    assert "\r" not in written.subject
    assert written.body.startswith("First.\n\nSecond.\n\n-- \n")


async def test_a_mail_survives_a_server_that_is_down(
    db: Database, clock: FakeClock, events: Events
) -> None:
    post = Post()
    async with smtp_server(post) as config:
        pass
    smtp = Smtp(config, SENDER, clock)
    jobs = Worker(db, clock, events)
    jobs.register(mail.JOB, mail.handler(smtp), keeps_payload=False)
    await db.write(mail.send, HELLO, clock.wall_ms())
    await jobs.run_due()
    assert not post.received
    async with smtp_server(post) as again:
        config.smtp_port = again.smtp_port
        clock.advance(limits.JOB_RETRY_MS_MIN)
        await jobs.run_due()
    assert len(post.received) == 1
    (done,) = await db.read(page, mail.JOB)
    assert (done.state, done.payload) == ("done", {})


async def test_the_mailbox_keeps_what_nobody_takes(
    db: Database, clock: FakeClock, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAIL_LISTED_MAX", 2)
    mailbox, jobs = Mailbox(db, clock), Worker(db, clock, events)
    jobs.register(mail.JOB, mail.handler(mailbox), keeps_payload=False)
    for number in range(3):
        await db.write(mail.send, Mail("a@b.co", f"No. {number}", "x"), clock.wall_ms())
        await jobs.run_due()
        clock.advance(1)
    first = await mailbox.page()
    assert [kept.subject for kept in first] == ["No. 2", "No. 1"]
    assert [kept.subject for kept in await mailbox.page(after=first[-1].id)] == ["No. 0"]
    clock.advance(limits.MAIL_KEEP_MS + 1)
    await mailbox.delete_old()
    assert await mailbox.page() == []


async def test_the_mailbox_is_bounded(
    db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAIL_KEPT_MAX", 2)
    mailbox = Mailbox(db, clock)
    for number in range(4):
        await mailbox.deliver(Mail("a@b.co", f"No. {number}", "x"))
        clock.advance(1)
    assert [kept.subject for kept in await mailbox.page()] == ["No. 3", "No. 2"]


async def test_a_mail_with_a_key_is_sent_once(
    db: Database, clock: FakeClock, events: Events
) -> None:
    mailbox, jobs = Mailbox(db, clock), Worker(db, clock, events)
    jobs.register(mail.JOB, mail.handler(mailbox))
    for _ in range(2):
        await db.write(lambda tx: mail.send(tx, HELLO, clock.wall_ms(), key="once"))
        await jobs.run_due()
    assert len(await mailbox.page()) == 1


@pytest.mark.parametrize(
    ("url", "header", "one_click"),
    [
        ("", None, None),
        (
            "https://site.example/unsubscribe?a=b&c=d",
            "<https://site.example/unsubscribe?a=b&c=d>",
            "List-Unsubscribe=One-Click",
        ),
        # RFC 8058 wants https for the one click; a person may still open the link.
        ("http://localhost:8080/unsubscribe", "<http://localhost:8080/unsubscribe>", None),
        # Nothing that could be another header, another address, or leave the brackets.
        ("https://site.example/\r\nBcc: all@example.org", None, None),
        ("https://site.example/>, <mailto:evil@example.org", None, None),
        ("https://site.example/ x", None, None),
        ("javascript:alert(1)", None, None),
        ("https://bücher.example/", None, None),
        ("https://site.example/" + "x" * 600, None, None),
    ],
)
def test_the_link_that_stops_such_mails(
    url: str, header: str | None, one_click: str | None
) -> None:
    message = compose(replace(HELLO, unsubscribe_url=url), SENDER, 0)
    assert message["List-Unsubscribe"] == header
    assert message["List-Unsubscribe-Post"] == one_click
    assert message["Bcc"] is None
    assert "evil" not in message.as_string()
    again = message_from_bytes(message.as_bytes(), policy=default)
    assert again["List-Unsubscribe"] == header
