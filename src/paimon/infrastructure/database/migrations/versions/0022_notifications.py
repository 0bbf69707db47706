"""Notifications: how far each event was routed, the messages, what each tells of, and what people prefer."""

import sqlalchemy as sa
from alembic import op

revision = "0022_notifications"
down_revision = "0021_reports"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "notification_preferences",
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("severity_min", sa.String(), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("language IN ('en', 'zh-CN')", name=op.f("ck_notification_preferences_language_known")),
        sa.CheckConstraint(
            "severity_min IN ('WARNING', 'CRITICAL')", name=op.f("ck_notification_preferences_severity_min_known")
        ),
        sa.CheckConstraint(
            "num_nonnulls(quiet_from, quiet_until) IN (0, 2)", name=op.f("ck_notification_preferences_quiet_hours_whole")
        ),
        sa.CheckConstraint("octet_length(person) = 20", name=op.f("ck_notification_preferences_person_length")),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_notification_preferences")),
        schema="ops",
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("is_group", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("ends_id", sa.BigInteger(), nullable=True),
        sa.Column("fallback_of_id", sa.BigInteger(), nullable=True),
        sa.Column("events_of_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(occasion = 'ENDED') = (ends_id IS NOT NULL)", name=op.f("ck_notifications_ended_names_its_message")
        ),
        sa.CheckConstraint(
            "(status = 'SENDING') = (claimed_at IS NOT NULL)", name=op.f("ck_notifications_claimed_at_while_sending")
        ),
        sa.CheckConstraint("(status = 'SENT') = (sent_at IS NOT NULL)", name=op.f("ck_notifications_sent_at_when_sent")),
        sa.CheckConstraint("language IN ('en', 'zh-CN')", name=op.f("ck_notifications_language_known")),
        sa.CheckConstraint("occasion IN ('OPENED', 'REMINDER', 'ENDED', 'TEST')", name=op.f("ck_notifications_occasion_known")),
        sa.CheckConstraint("severity IN ('WARNING', 'CRITICAL')", name=op.f("ck_notifications_severity_known")),
        sa.CheckConstraint("status IN ('QUEUED', 'SENDING', 'SENT', 'FAILED')", name=op.f("ck_notifications_status_known")),
        sa.CheckConstraint("attempts >= 0 AND events >= 0", name=op.f("ck_notifications_counted")),
        sa.ForeignKeyConstraint(["ends_id"], ["ops.notifications.id"], name=op.f("fk_notifications_ends_id_notifications")),
        sa.ForeignKeyConstraint(
            ["events_of_id"], ["ops.notifications.id"], name=op.f("fk_notifications_events_of_id_notifications")
        ),
        sa.ForeignKeyConstraint(
            ["fallback_of_id"], ["ops.notifications.id"], name=op.f("fk_notifications_fallback_of_id_notifications")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("ends_id", name=op.f("uq_notifications_ends_id")),
        sa.UniqueConstraint("fallback_of_id", name=op.f("uq_notifications_fallback_of_id")),
        sa.UniqueConstraint("key", name=op.f("uq_notifications_key")),
        schema="ops",
    )
    op.create_index("ix_notifications_channel", "notifications", ["channel", "created_at"], schema="ops")
    op.create_index(
        "ix_notifications_due",
        "notifications",
        ["channel", "due_at"],
        schema="ops",
        postgresql_where="status IN ('QUEUED', 'SENDING')",
    )
    op.create_index(
        "ix_notifications_failed",
        "notifications",
        ["channel", "created_at"],
        schema="ops",
        postgresql_where="status = 'FAILED'",
    )
    op.create_index(
        "ix_notifications_not_ended",
        "notifications",
        ["id"],
        schema="ops",
        postgresql_where="ended_at IS NULL AND status = 'SENT' AND occasion IN ('OPENED', 'REMINDER')",
    )
    op.create_table(
        "notification_events",
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dropped", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "occasion IN ('OPENED', 'REMINDER', 'ENDED', 'TEST')", name=op.f("ck_notification_events_occasion_known")
        ),
        sa.ForeignKeyConstraint(["event_id"], ["ops.risk_events.id"], name=op.f("fk_notification_events_event_id_risk_events")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["ops.notifications.id"], name=op.f("fk_notification_events_message_id_notifications")
        ),
        sa.PrimaryKeyConstraint("event_id", "channel", "occasion", "step", name=op.f("pk_notification_events")),
        schema="ops",
    )
    op.create_index("ix_notification_events_message_id", "notification_events", ["message_id"], schema="ops")
    op.create_index(
        "ix_notification_events_waiting",
        "notification_events",
        ["channel", "due_at"],
        schema="ops",
        postgresql_where="message_id IS NULL AND NOT dropped",
    )
    op.create_table(
        "routed_events",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("routed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("escalated_seconds", sa.Float(), nullable=False),
        sa.Column("next_step_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("severity IN ('WARNING', 'CRITICAL')", name=op.f("ck_routed_events_severity_known")),
        sa.ForeignKeyConstraint(["event_id"], ["ops.risk_events.id"], name=op.f("fk_routed_events_event_id_risk_events")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_routed_events")),
        schema="ops",
    )


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("routed_events", schema="ops")
    op.drop_table("notification_events", schema="ops")
    op.drop_table("notifications", schema="ops")
    op.drop_table("notification_preferences", schema="ops")
