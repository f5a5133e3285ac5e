"""Durable jobs, the site's own mailbox, changed settings, and an append-only audit log."""

import sqlalchemy as sa
from alembic import op

from mediaserver.kernel.db.migrations.tables import (
    append_only,
    check,
    create_index,
    create_table,
    id_column,
    int64,
    text,
    unique,
)

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    create_table(
        "job",
        id_column(),
        text("kind"),
        text("key", nullable=True),
        text("payload"),
        text("state"),
        int64("attempts"),
        int64("run_at_ms"),
        int64("lease_until_ms", nullable=True),
        text("last_error", nullable=True),
        int64("created_at_ms"),
        int64("ended_at_ms", nullable=True),
        unique("job", "key"),
        check("job_state", "state IN ('waiting', 'running', 'done', 'dead')"),
        check("job_lease", "(state = 'running') = (lease_until_ms IS NOT NULL)"),
        check("job_ended", "(state IN ('done', 'dead')) = (ended_at_ms IS NOT NULL)"),
    )
    create_index("job", "state", "run_at_ms")
    create_index("job", "kind", "state", "created_at_ms", "id")
    create_index("job", "ended_at_ms")
    create_table(
        "kept_mail",
        id_column(),
        text("recipient"),
        text("subject"),
        text("body"),
        int64("created_at_ms"),
    )
    create_index("kept_mail", "created_at_ms", "id")
    create_table(
        "audit_entry",
        int64("sequence"),
        int64("at_ms"),
        text("actor_id", nullable=True),
        text("actor"),
        text("action"),
        text("target_kind"),
        text("target_id"),
        text("target"),
        text("details"),
        text("address", nullable=True),
        text("hash"),
        check("audit_entry_hash", "length(hash) = 64"),
        key="sequence",
    )
    create_index("audit_entry", "actor_id", "sequence")
    create_index("audit_entry", "actor", "sequence")
    create_index("audit_entry", "action", "sequence")
    create_index("audit_entry", "target_id", "sequence")
    create_index("audit_entry", "target", "sequence")
    append_only("audit_entry")
    create_table("setting", text("key"), text("value"), int64("changed_at_ms"), key="key")
    value = sa.table("site_value", sa.column("key"), sa.column("value"), sa.column("updated_at_ms"))
    op.execute(value.insert().values(key="audit_head", value="0 " + "0" * 64, updated_at_ms=0))
