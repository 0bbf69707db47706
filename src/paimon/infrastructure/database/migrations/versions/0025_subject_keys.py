"""Keys of personal data, and the columns that are encrypted under them.

What was stored in plain text goes: where earlier sessions began, and where API keys were last used from. A change of the type
writes the whole table anew, so that no page of its file keeps it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025_subject_keys"
down_revision = "0024_valuation_failed"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_ENCRYPTED = {"sessions": ("client", "network_address"), "api_keys": ("last_used_from",)}


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "subject_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_by", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_by", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_subject_keys_address_length")),
        sa.CheckConstraint("octet_length(erased_by) = 20", name=op.f("ck_subject_keys_erased_by_length")),
        sa.CheckConstraint("octet_length(wrapped_by) = 8", name=op.f("ck_subject_keys_wrapped_by_length")),
        sa.CheckConstraint("(erased_at IS NULL) = (wrapped_key IS NOT NULL)", name=op.f("ck_subject_keys_erased_has_no_key")),
        sa.CheckConstraint("(erased_at IS NULL) = (erased_by IS NULL)", name=op.f("ck_subject_keys_erased_by_a_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_keys")),
        schema="ops",
    )
    op.create_index(
        op.f("uq_subject_keys_live"),
        "subject_keys",
        ["address"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("erased_at IS NULL"),
    )
    for table, columns in _ENCRYPTED.items():
        for column in columns:
            op.execute(f"ALTER TABLE ops.{table} ALTER COLUMN {column} DROP NOT NULL")
        changes = ", ".join(f"ALTER COLUMN {column} TYPE bytea USING NULL" for column in columns)
        op.execute(f"ALTER TABLE ops.{table} {changes}")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.execute("ALTER TABLE ops.api_keys ALTER COLUMN last_used_from TYPE text USING NULL")
    for column in _ENCRYPTED["sessions"]:
        op.execute(f"ALTER TABLE ops.sessions ALTER COLUMN {column} TYPE text USING ''")
        op.execute(f"ALTER TABLE ops.sessions ALTER COLUMN {column} SET NOT NULL")
    op.drop_table("subject_keys", schema="ops")
