"""Deeds of the transaction desk, and intents that are given up, by people or their deadline."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_GIVING_UP = {
    "ck_transaction_intents_aborting_as_known": "aborting_as IN ('cancelled','expired')",
    "ck_transaction_intents_aborting_for_a_reason": "(aborting_as IS NULL) = (abort_reason IS NULL)",
}


def upgrade() -> None:
    op.add_column("transaction_intents", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True), schema="owned")
    op.add_column("transaction_intents", sa.Column("aborting_as", sa.String(), nullable=True), schema="owned")
    op.add_column("transaction_intents", sa.Column("abort_reason", sa.Text(), nullable=True), schema="owned")
    for check, words in _GIVING_UP.items():
        op.create_check_constraint(op.f(check), "transaction_intents", words, schema="owned")
    _create_deeds()


def downgrade() -> None:
    op.drop_table("operator_actions", schema="owned")
    for check in _GIVING_UP:
        op.drop_constraint(op.f(check), "transaction_intents", schema="owned")
    for column in ("abort_reason", "aborting_as", "expires_at"):
        op.drop_column("transaction_intents", column, schema="owned")


def _create_deeds() -> None:
    op.create_table(
        "operator_actions",
        sa.Column("nonce", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("wallet", sa.LargeBinary(length=20), nullable=False),
        sa.Column("intent_id", sa.Uuid(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.LargeBinary(length=20), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("typed_data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("signature", postgresql.BYTEA(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), server_default="asked", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'clear_fault') = (intent_id IS NULL)", name=op.f("ck_operator_actions_targets_an_intent_or_its_wallet")
        ),
        sa.CheckConstraint("(state = 'asked') = (ended_at IS NULL)", name=op.f("ck_operator_actions_dated_when_ended")),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_operator_actions_ends_with_an_outcome")),
        sa.CheckConstraint(
            "kind IN ('speed_up', 'cancel', 'retry', 'clear_fault')", name=op.f("ck_operator_actions_kind_known")
        ),
        sa.CheckConstraint("octet_length(requested_by) = 20", name=op.f("ck_operator_actions_requested_by_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_operator_actions_nonce_length")),
        sa.CheckConstraint("state IN ('asked', 'done', 'moot')", name=op.f("ck_operator_actions_status_known")),
        sa.ForeignKeyConstraint(
            ["intent_id"],
            ["owned.transaction_intents.id"],
            name=op.f("fk_operator_actions_intent_id_transaction_intents"),
        ),
        sa.ForeignKeyConstraint(["wallet"], ["owned.wallets.address"], name=op.f("fk_operator_actions_wallet_wallets")),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_operator_actions")),
        schema="owned",
    )
    asked = "state = 'asked'"
    for name, column, where in (
        ("uq_operator_actions_requested_of_intent", "intent_id", asked),
        ("uq_operator_actions_requested_of_wallet", "wallet", f"{asked} AND intent_id IS NULL"),
        ("ix_operator_actions_requested", "wallet", asked),
        ("ix_operator_actions_intent", "intent_id", None),
    ):
        unique = name.startswith("uq")
        op.create_index(name, "operator_actions", [column], unique=unique, schema="owned", postgresql_where=where)
