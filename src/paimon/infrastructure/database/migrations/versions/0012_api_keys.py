"""API keys of programs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012_api_keys"
down_revision = "0011_grant_exceptions"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("networks", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_from", sa.Text(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_api_keys_address_length")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_api_keys_hash_length")),
        sa.CheckConstraint("created_at < expires_at", name=op.f("ck_api_keys_expires_later")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        schema="ops",
    )
    op.create_index(op.f("uq_api_keys_hash"), "api_keys", ["hash"], unique=True, schema="ops")
    op.create_index(op.f("ix_api_keys_address"), "api_keys", ["address", "created_at"], schema="ops")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("api_keys", schema="ops")
