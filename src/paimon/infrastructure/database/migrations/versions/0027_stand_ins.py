"""Stand-ins: who decides approvals in another's place for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0027_stand_ins"
down_revision = "0026_liquidity_forecasts"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "stand_ins",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("stand_in", sa.LargeBinary(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("octet_length(person) = 20", name=op.f("ck_stand_ins_person_length")),
        sa.CheckConstraint("octet_length(stand_in) = 20", name=op.f("ck_stand_ins_stand_in_length")),
        sa.CheckConstraint("octet_length(ended_by) = 20", name=op.f("ck_stand_ins_ended_by_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_stand_ins_nonce_length")),
        sa.CheckConstraint("person <> stand_in", name=op.f("ck_stand_ins_two_people")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_stand_ins_ends_later")),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_stand_ins_ended_by_a_person")),
        sa.ForeignKeyConstraint(["nonce"], ["ops.signed_actions.nonce"], name=op.f("fk_stand_ins_nonce_signed_actions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stand_ins")),
        schema="ops",
    )
    op.create_index(op.f("uq_stand_ins_nonce"), "stand_ins", ["nonce"], unique=True, schema="ops")
    op.create_index(op.f("ix_stand_ins_ends_at"), "stand_ins", ["ends_at"], schema="ops")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("stand_ins", schema="ops")
