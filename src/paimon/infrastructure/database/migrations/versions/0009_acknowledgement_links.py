"""Links by which a person acknowledges a risk event once."""

import sqlalchemy as sa
from alembic import op

revision = "0009_acknowledgement_links"
down_revision = "0008_invalid_votes"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "acknowledgement_links",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_acknowledgement_links_token_hash_length")),
        sa.CheckConstraint("octet_length(person) = 20", name=op.f("ck_acknowledgement_links_person_length")),
        sa.CheckConstraint("used_at <= expires_at", name=op.f("ck_acknowledgement_links_used_in_time")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["ops.risk_events.id"], name=op.f("fk_acknowledgement_links_event_id_risk_events")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_acknowledgement_links")),
        schema="ops",
    )
    op.create_index(op.f("ix_acknowledgement_links_event_id"), "acknowledgement_links", ["event_id"], schema="ops")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("acknowledgement_links", schema="ops")
