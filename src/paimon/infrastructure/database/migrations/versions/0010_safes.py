"""The fund's Safes, what is proposed to them, and what their owners have signed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "safes",
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owners", postgresql.ARRAY(postgresql.BYTEA()), nullable=False),
        sa.Column("threshold", sa.SmallInteger(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.Column("seen_block", sa.BigInteger(), nullable=False),
        sa.Column("seen_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("name IN ('warm', 'cold')", name=op.f("ck_safes_name_known")),
        sa.CheckConstraint("next_nonce >= nonce AND nonce >= 0", name=op.f("ck_safes_nonces_in_order")),
        sa.CheckConstraint("octet_length(address) = 20", name=op.f("ck_safes_address_length")),
        sa.CheckConstraint("octet_length(seen_hash) = 32", name=op.f("ck_safes_seen_hash_length")),
        sa.CheckConstraint("threshold BETWEEN 1 AND cardinality(owners)", name=op.f("ck_safes_threshold_within_owners")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_safes")),
        schema="owned",
    )
    op.create_table(
        "safe_proposals",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("safe", sa.LargeBinary(length=20), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("to_address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("value_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.Column("operation", sa.SmallInteger(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", postgresql.BYTEA(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("executed_tx_hash", postgresql.BYTEA(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('executed', 'failed', 'rejected', 'superseded')", name=op.f("ck_safe_proposals_outcome_known")
        ),
        sa.CheckConstraint("(outcome IS NULL) = (closed_at IS NULL)", name=op.f("ck_safe_proposals_closed_at_with_outcome")),
        sa.CheckConstraint(
            "(outcome IS NULL) = (executed_tx_hash IS NULL)", name=op.f("ck_safe_proposals_executed_tx_hash_with_outcome")
        ),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_safe_proposals_expires_after_creation")),
        sa.CheckConstraint("nonce >= 0", name=op.f("ck_safe_proposals_nonce_not_negative")),
        sa.CheckConstraint("octet_length(executed_tx_hash) = 32", name=op.f("ck_safe_proposals_executed_tx_hash_length")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_safe_proposals_hash_length")),
        sa.CheckConstraint("octet_length(proposed_by) = 20", name=op.f("ck_safe_proposals_proposed_by_length")),
        sa.CheckConstraint("octet_length(to_address) = 20", name=op.f("ck_safe_proposals_to_address_length")),
        sa.CheckConstraint("operation IN (0, 1)", name=op.f("ck_safe_proposals_operation_known")),
        sa.CheckConstraint(
            "value_wei >= 0 AND value_wei <= 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            name=op.f("ck_safe_proposals_value_wei_uint256"),
        ),
        sa.ForeignKeyConstraint(["safe"], ["owned.safes.address"], name=op.f("fk_safe_proposals_safe_safes")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_safe_proposals")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_safe_proposals_idempotency_key")),
        schema="owned",
    )
    op.create_index("ix_safe_proposals_nonce", "safe_proposals", ["safe", "nonce"], unique=False, schema="owned")
    op.create_table(
        "safe_signatures",
        sa.Column("proposal", sa.LargeBinary(length=32), nullable=False),
        sa.Column("owner", sa.LargeBinary(length=20), nullable=False),
        sa.Column("signature", postgresql.BYTEA(), nullable=False),
        sa.Column("is_contract_signature", sa.Boolean(), nullable=False),
        sa.Column("submitted_by", sa.LargeBinary(length=20), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "is_contract_signature OR octet_length(signature) = 65", name=op.f("ck_safe_signatures_signature_length")
        ),
        sa.CheckConstraint("octet_length(owner) = 20", name=op.f("ck_safe_signatures_owner_length")),
        sa.CheckConstraint("octet_length(submitted_by) = 20", name=op.f("ck_safe_signatures_submitted_by_length")),
        sa.ForeignKeyConstraint(
            ["proposal"], ["owned.safe_proposals.hash"], name=op.f("fk_safe_signatures_proposal_safe_proposals")
        ),
        sa.PrimaryKeyConstraint("proposal", "owner", name=op.f("pk_safe_signatures")),
        schema="owned",
    )


def downgrade() -> None:
    op.drop_table("safe_signatures", schema="owned")
    op.drop_index("ix_safe_proposals_nonce", table_name="safe_proposals", schema="owned")
    op.drop_table("safe_proposals", schema="owned")
    op.drop_table("safes", schema="owned")
