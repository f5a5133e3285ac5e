"""The audit log at the admin desk: what of it stands elsewhere too."""

from __future__ import annotations

from structlog.testing import capture_logs

from mediaserver.admin.audit_log import AuditLog
from mediaserver.kernel import audit
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database


async def test_the_newest_hash_goes_into_the_log(db: Database, clock: FakeClock) -> None:
    target = audit.Target("user", "usr_1", "alice")
    for _ in range(2):
        await db.write(audit.append, audit.SITE, "user.ban", target, clock.wall_ms())
    with capture_logs() as lines:
        await AuditLog(db, clock).log_newest()
    newest = (await db.read(audit.page))[0]
    assert [(one["sequence"], one["hash"]) for one in lines] == [("2", newest.hash)]
