"""Plans, memberships and what was charged for them; who is premium by one."""

import sqlalchemy as sa
from alembic import op

from mediaserver.kernel.db.migrations.tables import (
    INT64,
    check,
    create_index,
    create_table,
    foreign,
    id_column,
    int64,
    text,
    unique,
)

revision = "0019"
down_revision = "0018"

_OPEN = "state <> 'ended'"
_PREMIUM = "(is_premium = 1 OR is_member = 1)"


def upgrade() -> None:
    _members()
    _plans()
    _memberships()
    _charges()


def _members() -> None:
    kind = INT64.compile(dialect=op.get_bind().dialect)
    # By hand: SQLite takes constraints with a new column only in its line.
    op.execute(
        f"ALTER TABLE user_account ADD COLUMN is_member {kind} DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_user_account_is_member CHECK (is_member IN (0, 1))"
    )
    op.drop_index("ix_user_account_premium", "user_account")
    op.create_index(
        "ix_user_account_premium",
        "user_account",
        ["created_at_ms", "id"],
        sqlite_where=sa.text(_PREMIUM),
        postgresql_where=sa.text(_PREMIUM),
    )


def _plans() -> None:
    create_table(
        "plan",
        id_column(),
        text("name"),
        text("description"),
        int64("price_minor"),
        text("currency"),
        text("period"),
        text("state"),
        int64("position"),
        int64("created_at_ms"),
        check("plan_price_minor", "price_minor BETWEEN 1 AND 1000000000000"),
        check("plan_period", "period IN ('month', 'year')"),
        check("plan_state", "state IN ('on_sale', 'off_sale', 'withdrawn')"),
    )


def _memberships() -> None:
    create_table(
        "membership",
        id_column(),
        text("user_id", nullable=True),
        text("plan_id"),
        text("state"),
        sa.Column("is_cancelled", INT64, nullable=False, server_default=sa.text("0")),
        int64("price_minor"),
        text("currency"),
        int64("new_price_minor", nullable=True),
        int64("new_price_from_ms", nullable=True),
        text("next_plan_id", nullable=True),
        int64("next_plan_price_minor", nullable=True),
        int64("number"),
        int64("anchor_ms"),
        int64("anchor_months"),
        int64("starts_at_ms"),
        int64("ends_at_ms"),
        int64("grace_until_ms", nullable=True),
        text("idempotency_key", nullable=True),
        text("request_hash", nullable=True),
        int64("created_at_ms"),
        int64("ended_at_ms", nullable=True),
        text("ended_for", nullable=True),
        foreign("membership", "user_id", "user_account", "SET NULL"),
        foreign("membership", "plan_id", "plan", "RESTRICT"),
        foreign("membership", "next_plan_id", "plan", "RESTRICT"),
        unique("membership", "user_id", "idempotency_key"),
        check("membership_state", "state IN ('active', 'grace', 'ended')"),
        check("membership_is_cancelled", "is_cancelled IN (0, 1)"),
        check("membership_whose", "state = 'ended' OR user_id IS NOT NULL"),
        check(
            "membership_period",
            "ends_at_ms > starts_at_ms AND number > 0 AND anchor_months > 0",
        ),
        check("membership_grace", "(state = 'grace') = (grace_until_ms IS NOT NULL)"),
        check("membership_ended", "(state = 'ended') = (ended_at_ms IS NOT NULL)"),
        check("membership_ended_for", "(ended_at_ms IS NULL) = (ended_for IS NULL)"),
        check("membership_new_price", "(new_price_minor IS NULL) = (new_price_from_ms IS NULL)"),
        check("membership_next_plan", "(next_plan_id IS NULL) = (next_plan_price_minor IS NULL)"),
    )
    op.create_index(
        "uq_membership_open",
        "membership",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    create_index("membership", "state", "ends_at_ms")
    create_index("membership", "plan_id", "state")
    create_index("membership", "next_plan_id")


def _charges() -> None:
    create_table(
        "membership_charge",
        id_column(),
        text("membership_id"),
        int64("number"),
        text("plan_id"),
        text("plan_name"),
        int64("price_minor"),
        int64("credit_minor"),
        text("currency"),
        text("entry_id"),
        int64("starts_at_ms"),
        int64("ends_at_ms"),
        int64("created_at_ms"),
        foreign("membership_charge", "membership_id", "membership", "RESTRICT"),
        foreign("membership_charge", "plan_id", "plan", "RESTRICT"),
        unique("membership_charge", "membership_id", "number"),
        check("membership_charge_amounts", "credit_minor >= 0 AND price_minor > credit_minor"),
    )
    create_index("membership_charge", "plan_id", "created_at_ms")
    create_index("membership_charge", "created_at_ms")
