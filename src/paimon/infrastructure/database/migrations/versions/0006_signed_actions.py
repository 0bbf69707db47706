"""One table of every accepted signed action, with the nonces that were used before."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006_signed_actions"
down_revision = "0005_sessions"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"

_USED = (
    ("approval_records", "lower(verdict) || '_redemption'", "'/approvals/' || ticket_id", "voter", "expires_at", "decided_at"),
    (
        "operator_actions",
        "kind",
        "CASE WHEN intent_id IS NULL THEN '/wallets/0x' || encode(wallet, 'hex')"
        " ELSE '/transactions/intents/' || intent_id END",
        "requested_by",
        "expires_at",
        "requested_at",
    ),
    (
        "operator_decisions",
        "kind",
        "CASE WHEN outbox_id IS NULL THEN '/system/quarantine/' || block_number || '/' || log_index"
        " ELSE '/system/outbox/' || outbox_id END",
        "requested_by",
        "expires_at",
        "requested_at",
    ),
    ("plans", "'execute_plan'", "'/plans/' || id", "requested_by", "signature_expires_at", "created_at"),
    ("user_grants", "'grant_user'", "'/users/0x' || encode(address, 'hex')", "granted_by", "expires_at", "granted_at"),
)


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "signed_actions",
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("signer", sa.LargeBinary(), nullable=False),
        sa.Column("typed_data", postgresql.JSONB(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("verified_at_block", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_signed_actions_nonce_length")),
        sa.CheckConstraint("octet_length(signer) = 20", name=op.f("ck_signed_actions_signer_length")),
        sa.CheckConstraint("action <> '' AND resource <> ''", name=op.f("ck_signed_actions_action_and_resource_named")),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_signed_actions")),
        schema="ops",
    )
    op.create_index(op.f("ix_signed_actions_resource"), "signed_actions", ["resource", "accepted_at"], schema="ops")
    op.create_index(op.f("ix_signed_actions_signer"), "signed_actions", ["signer", "accepted_at"], schema="ops")
    for table, action, resource, signer, expires_at, accepted_at in _USED:
        op.execute(
            "INSERT INTO ops.signed_actions (nonce, action, resource, signer, typed_data, signature, expires_at, accepted_at)"  # noqa: S608
            f" SELECT nonce, {action}, {resource}, {signer}, typed_data, signature, {expires_at}, {accepted_at}"
            f" FROM ops.{table} WHERE nonce IS NOT NULL ON CONFLICT DO NOTHING"
        )


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.drop_table("signed_actions", schema="ops")
