"""Sessions of signed-in people, and their refresh tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0005_sessions"
down_revision = "0004_split_redemptions"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("network_address", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "end_reason IN ('SIGNED_OUT', 'REVOKED', 'REFRESH_TOKEN_REUSED')", name=op.f("ck_sessions_end_reason_known")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_sessions_end_has_reason")),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_sessions_address_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        schema="ops",
    )
    op.create_index(op.f("ix_sessions_address"), "sessions", ["address", "created_at"], schema="ops")
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], schema="ops")
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_refresh_tokens_hash_length")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["ops.sessions.id"], name=op.f("fk_refresh_tokens_session_id_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_tokens")),
        schema="ops",
    )
    op.create_index(op.f("ix_refresh_tokens_session_id"), "refresh_tokens", ["session_id"], schema="ops")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("refresh_tokens", schema="ops")
    op.drop_table("sessions", schema="ops")
