"""Plans: which wallet carries them out, what their calls count for, and the hot key that makes some of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_KINDS = ("approve_redemption", "reject_redemption", "settle_redemption", "execute_safe")
_WALLETS = ("keeper", "approver")
_UINT256_MAX = 2**256 - 1


def upgrade() -> None:
    _restrict("transaction_intents", "kind", (*_KINDS, "plan_step"))
    _restrict("wallets", "name", (*_WALLETS, "hot"))
    _create_plans()
    _create_plan_calls()


def downgrade() -> None:
    op.drop_table("plan_calls", schema="owned")
    op.drop_table("plans", schema="owned")
    _restrict("wallets", "name", _WALLETS)
    _restrict("transaction_intents", "kind", _KINDS)


def _restrict(table: str, column: str, values: tuple[str, ...]) -> None:
    name, series_limits = op.f(f"ck_{table}_{column}_known"), ", ".join(f"'{each}'" for each in values)
    op.drop_constraint(name, table, schema="owned")
    op.create_check_constraint(name, table, f"{column} IN ({series_limits})", schema="owned")


def _create_plans() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("wallet", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("rejected_wallets", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("proposal", postgresql.BYTEA(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("requested_by", postgresql.BYTEA(), nullable=True),
        sa.Column("nonce", postgresql.BYTEA(), nullable=True),
        sa.Column("typed_data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("signature", postgresql.BYTEA(), nullable=True),
        sa.Column("signature_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(wallet = 'hot') = (proposal IS NULL)", name=op.f("ck_plans_proposal_unless_hot")),
        sa.CheckConstraint(f"amount >= 0 AND amount <= {_UINT256_MAX}", name=op.f("ck_plans_amount_uint256")),
        sa.CheckConstraint(
            "num_nonnulls(requested_by, nonce, typed_data, signature, signature_expires_at) IN (0, 5)",
            name=op.f("ck_plans_signed_action_complete"),
        ),
        sa.CheckConstraint("octet_length(requested_by) = 20", name=op.f("ck_plans_requested_by_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_plans_nonce_length")),
        sa.CheckConstraint("octet_length(payload_hash) = 32", name=op.f("ck_plans_payload_hash_length")),
        sa.CheckConstraint("octet_length(proposal) = 32", name=op.f("ck_plans_proposal_length")),
        sa.CheckConstraint("wallet IN ('hot', 'warm', 'cold')", name=op.f("ck_plans_wallet_known")),
        sa.ForeignKeyConstraint(["proposal"], ["owned.safe_proposals.hash"], name=op.f("fk_plans_proposal_safe_proposals")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_plans_idempotency_key")),
        sa.UniqueConstraint("nonce", name=op.f("uq_plans_nonce")),
        sa.UniqueConstraint("proposal", name=op.f("uq_plans_proposal")),
        schema="owned",
    )
    op.create_index("ix_plans_name", "plans", ["name"], unique=False, schema="owned")
    op.create_index("ix_plans_wallet", "plans", ["wallet", "created_at"], unique=False, schema="owned")


def _create_plan_calls() -> None:
    op.create_table(
        "plan_calls",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("call_index", sa.SmallInteger(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("to_address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.Column("amount", sa.Numeric(78, 0), nullable=False),
        sa.Column("intent_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"amount >= 0 AND amount <= {_UINT256_MAX}", name=op.f("ck_plan_calls_amount_uint256")),
        sa.CheckConstraint(
            "contract IN ('Vault', 'RedemptionManager', 'AssetController', 'OTCManager', 'ERC20')",
            name=op.f("ck_plan_calls_contract_known"),
        ),
        sa.CheckConstraint("octet_length(to_address) = 20", name=op.f("ck_plan_calls_to_address_length")),
        sa.CheckConstraint("place >= 0", name=op.f("ck_plan_calls_position_not_negative")),
        sa.ForeignKeyConstraint(
            ["intent_id"], ["owned.transaction_intents.id"], name=op.f("fk_plan_calls_intent_id_transaction_intents")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["owned.plans.id"], name=op.f("fk_plan_calls_plan_id_plans")),
        sa.PrimaryKeyConstraint("plan_id", "call_index", name=op.f("pk_plan_calls")),
        sa.UniqueConstraint("intent_id", name=op.f("uq_plan_calls_intent_id")),
        schema="owned",
    )
