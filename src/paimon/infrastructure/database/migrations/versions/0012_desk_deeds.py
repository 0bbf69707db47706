"""Deeds of the transaction desk, and intents that are given up, by people or their deadline."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_GIVING_UP = {
    "ck_transaction_intents_giving_up_known": "giving_up IN ('cancelled','expired')",
    "ck_transaction_intents_given_up_for_a_reason": "(giving_up IS NULL) = (giving_up_because IS NULL)",
}


def upgrade() -> None:
    op.add_column("transaction_intents", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True), schema="owned")
    op.add_column("transaction_intents", sa.Column("giving_up", sa.String(), nullable=True), schema="owned")
    op.add_column("transaction_intents", sa.Column("giving_up_because", sa.Text(), nullable=True), schema="owned")
    for check, words in _GIVING_UP.items():
        op.create_check_constraint(op.f(check), "transaction_intents", words, schema="owned")
    _create_deeds()


def downgrade() -> None:
    op.drop_table("desk_deeds", schema="owned")
    for check in _GIVING_UP:
        op.drop_constraint(op.f(check), "transaction_intents", schema="owned")
    for column in ("giving_up_because", "giving_up", "expires_at"):
        op.drop_column("transaction_intents", column, schema="owned")


def _create_deeds() -> None:
    op.create_table(
        "desk_deeds",
        sa.Column("nonce", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("wallet", sa.LargeBinary(length=20), nullable=False),
        sa.Column("intent_id", sa.Uuid(), nullable=True),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.LargeBinary(length=20), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("typed_data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("signature", postgresql.BYTEA(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), server_default="asked", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'clear_trouble') = (intent_id IS NULL)", name=op.f("ck_desk_deeds_about_an_intent_or_its_wallet")
        ),
        sa.CheckConstraint("(state = 'asked') = (ended_at IS NULL)", name=op.f("ck_desk_deeds_dated_when_ended")),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_desk_deeds_ends_with_an_outcome")),
        sa.CheckConstraint("kind IN ('speed_up', 'cancel', 'retry', 'clear_trouble')", name=op.f("ck_desk_deeds_kind_known")),
        sa.CheckConstraint("octet_length(asked_by) = 20", name=op.f("ck_desk_deeds_asked_by_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_desk_deeds_nonce_length")),
        sa.CheckConstraint("state IN ('asked', 'done', 'moot')", name=op.f("ck_desk_deeds_state_known")),
        sa.ForeignKeyConstraint(
            ["intent_id"],
            ["owned.transaction_intents.id"],
            name=op.f("fk_desk_deeds_intent_id_transaction_intents"),
        ),
        sa.ForeignKeyConstraint(["wallet"], ["owned.wallets.address"], name=op.f("fk_desk_deeds_wallet_wallets")),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_desk_deeds")),
        schema="owned",
    )
    asked = "state = 'asked'"
    for name, column, where in (
        ("uq_desk_deeds_asked_of_intent", "intent_id", asked),
        ("uq_desk_deeds_asked_of_wallet", "wallet", f"{asked} AND intent_id IS NULL"),
        ("ix_desk_deeds_asked", "wallet", asked),
        ("ix_desk_deeds_intent", "intent_id", None),
    ):
        unique = name.startswith("uq")
        op.create_index(name, "desk_deeds", [column], unique=unique, schema="owned", postgresql_where=where)
