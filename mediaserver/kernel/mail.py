"""Mail: written as a job in the transaction that wants it, delivered by SMTP after its commit.

Without an SMTP server in the settings it is put into a mailbox in the database, which the admin
reads: so a site without any mail account works whole. Features write with a `Letterhead`; routes
and the admin desk read the mailbox. Owns the table `kept_mail`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Any, Protocol

import aiosmtplib
import structlog
from sqlalchemy import Index, Row, delete, insert, select

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MailConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.db.schema import identifier, int64, table, text
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.jobs import Payload, enqueue
from mediaserver.kernel.worker import GiveUp, Handler

_log = structlog.get_logger(__name__)

JOB = "mail"

_LINK = re.compile(r"https?://[!-;=?-~]{1,500}")
"""An address that can stand between < and > in a header."""

kept_mail = table(
    "kept_mail",
    identifier(),
    text("recipient"),
    text("subject"),
    text("body"),
    int64("created_at_ms"),
)
Index(None, kept_mail.c.created_at_ms, kept_mail.c.id)


@dataclass(frozen=True, slots=True)
class Mail:
    """Plain text to one address. `unsubscribe_url` turns off mails of its kind (RFC 8058)."""

    to: str
    subject: str
    body: str
    unsubscribe_url: str = ""


class Letterhead:
    """What every mail of this site has: its name, and its own address without a slash at the end —
    from the settings, never from a request, which could name another.
    """

    def __init__(
        self,
        site_name: Callable[[], str],
        url: Callable[[], str],
        mac: Callable[[str, str], str] | None = None,
    ) -> None:
        """`mac`: that of the vault, which signs links; without it mails have none to sign."""
        self._site_name = site_name
        self._url = url
        self._mac = mac

    @property
    def site_name(self) -> str:
        return self._site_name()

    @property
    def url(self) -> str:
        return self._url()

    def signature(self, text: str, context: str) -> str | None:
        """What shows that a link with `text` is ours: a keyed hash."""
        return None if self._mac is None else self._mac(text, context)

    def mail(self, to: str, subject: str, *paragraphs: str) -> Mail:
        """A mail of these paragraphs, which may hold line breaks. The subject becomes one line."""
        line = " ".join(f"{subject} · {self.site_name}".split())
        return Mail(to, line, "\n\n".join((*paragraphs, f"-- \n{self.site_name}\n{self.url}\n")))


def send(tx: Transaction, mail: Mail, now_ms: int, *, key: str | None = None) -> None:
    """Have `mail` sent once `tx` is committed; with a `key`, only once. Nobody is reached under
    .invalid (RFC 2606), where the people of the demo live.
    """
    if mail.to.endswith(".invalid"):
        return
    enqueue(tx, JOB, asdict(mail), now_ms, key=key)


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail in the site's own mailbox."""

    id: str
    to: str
    subject: str
    body: str
    created_at_ms: int


class Transport(Protocol):
    """Takes a mail away. Raises `GiveUp` when it never will, anything else to be asked again."""

    async def deliver(self, mail: Mail) -> None: ...


class Mailbox:
    """The transport of a site without SMTP: mail stays here, for the admin."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def deliver(self, mail: Mail) -> None:
        await self._db.write(_keep, mail, self._clock.wall_ms())

    async def page(self, *, after: str | None = None) -> list[KeptMail]:
        """Newest first, behind the one with the id `after`."""
        return await self._db.read(_page, after)

    async def delete_old(self) -> None:
        await self._db.write(_delete_old, self._clock.wall_ms() - limits.MAIL_KEEP_MS)


class Smtp:
    """The transport to the operator's mail server."""

    def __init__(self, config: MailConfig, sender: str, clock: Clock) -> None:
        self._config = config
        self._sender = sender
        self._clock = clock

    async def deliver(self, mail: Mail) -> None:
        config = self._config
        message = compose(mail, self._sender, self._clock.wall_ms())
        try:
            await aiosmtplib.send(
                message,
                hostname=config.smtp_host,
                port=config.smtp_port,
                username=config.smtp_username or None,
                password=config.smtp_password or None,
                use_tls=config.smtp_security == "tls",
                start_tls=config.smtp_security == "starttls",
                timeout=limits.MAIL_TIMEOUT_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            if refused.code >= 500:
                raise GiveUp(f"{refused.code} {refused.message}") from error
            raise Unavailable(f"{refused.code} {refused.message}") from error
        except aiosmtplib.SMTPAuthenticationError as error:
            # For the operator to mend, and then the mail is still worth sending.
            raise Unavailable(f"The mail server refused our log-in: {error.message}") from error
        except aiosmtplib.SMTPException as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error

    async def check(self) -> None:
        """Connect and log in, without sending anything. Raises `Unavailable` with the reason."""
        config = self._config
        client = aiosmtplib.SMTP(
            hostname=config.smtp_host,
            port=config.smtp_port,
            username=config.smtp_username or None,
            password=config.smtp_password or None,
            use_tls=config.smtp_security == "tls",
            start_tls=config.smtp_security == "starttls",
            timeout=limits.MAIL_TIMEOUT_S,
        )
        try:
            async with client:
                pass
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error


def handler(transport: Transport) -> Handler:
    """What does the jobs of kind `JOB`."""

    async def handle(payload: Payload) -> None:
        await transport.deliver(Mail(**payload))

    return handle


def compose(mail: Mail, sender: str, now_ms: int) -> EmailMessage:
    """The message as it is sent. A line break in a header raises `GiveUp`."""
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        if _LINK.fullmatch(mail.unsubscribe_url):
            message["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
            if mail.unsubscribe_url.startswith("https:"):  # RFC 8058 §3.1 asks for it
                message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    except ValueError as error:
        raise GiveUp(str(error)) from error
    message["Date"] = format_datetime(datetime.fromtimestamp(now_ms / 1000, UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].rstrip(">") or None)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    message.set_content(mail.body)
    return message


def _keep(tx: Transaction, mail: Mail, now_ms: int) -> None:
    tx.execute(
        insert(kept_mail).values(
            id=new_id("mail"),
            recipient=mail.to,
            subject=mail.subject,
            body=mail.body,
            created_at_ms=now_ms,
        )
    )
    surplus = (
        select(kept_mail.c.id)
        .order_by(kept_mail.c.created_at_ms.desc(), kept_mail.c.id.desc())
        .offset(limits.MAIL_KEPT_MAX)
        .limit(limits.MAIL_KEPT_MAX)
    )
    if surplus_ids := tx.execute(surplus).scalars().all():
        tx.execute(delete(kept_mail).where(kept_mail.c.id.in_(surplus_ids)))


def _page(tx: Transaction, after: str | None) -> list[KeptMail]:
    moment, most = kept_mail.c.created_at_ms, limits.MAIL_LISTED_MAX
    rows = rows_behind(tx, select(kept_mail), moment, after, most)
    return [_to_kept(row) for row in rows]


def _delete_old(tx: Transaction, before_ms: int) -> None:
    tx.execute(delete(kept_mail).where(kept_mail.c.created_at_ms < before_ms))


def _to_kept(row: Row[Any]) -> KeptMail:
    return KeptMail(row.id, row.recipient, row.subject, row.body, row.created_at_ms)
