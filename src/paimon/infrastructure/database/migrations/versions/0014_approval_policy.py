"""The approval policy as versioned data, with version 1; tickets of every type, with the rules that asked for them."""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from paimon.domain.approval.first_policy import FIRST_POLICY_DOCUMENT

revision = "0014_approval_policy"
down_revision = "0013_audit_trail"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_FIRST_TYPES = ("EMERGENCY_REDEMPTION", "STANDARD_REDEMPTION")
_TYPES = (
    *_FIRST_TYPES,
    "REBALANCE_SMALL",
    "REBALANCE_LARGE",
    "ASSET_ADD",
    "ASSET_REMOVE",
    "FEE_WITHDRAW",
    "EMERGENCY_MODE",
    "MANUAL_OPERATION",
)


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "approval_policies",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_by", postgresql.BYTEA(), nullable=True),
        sa.Column("nonce", postgresql.BYTEA(), nullable=True),
        sa.CheckConstraint("octet_length(published_by) = 20", name=op.f("ck_approval_policies_published_by_length")),
        sa.CheckConstraint("octet_length(nonce) = 32", name=op.f("ck_approval_policies_nonce_length")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_approval_policies_version_positive")),
        sa.CheckConstraint(
            "(version = 1) = (published_by IS NULL) AND (version = 1) = (nonce IS NULL)",
            name=op.f("ck_approval_policies_signed_after_first"),
        ),
        sa.ForeignKeyConstraint(
            ["nonce"], ["ops.signed_actions.nonce"], name=op.f("fk_approval_policies_nonce_signed_actions")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_approval_policies")),
        sa.UniqueConstraint("nonce", name=op.f("uq_approval_policies_nonce")),
        schema="ops",
    )
    op.create_table(
        "approval_policy_drafts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("changed_by", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(changed_by) = 20", name=op.f("ck_approval_policy_drafts_changed_by_length")),
        sa.ForeignKeyConstraint(
            ["based_on"], ["ops.approval_policies.version"], name=op.f("fk_approval_policy_drafts_based_on_approval_policies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_policy_drafts")),
        schema="ops",
    )
    op.execute(
        sa.text(
            "INSERT INTO ops.approval_policies (version, document, reason) VALUES (1, CAST(:document AS jsonb), :reason)"
        ).bindparams(document=json.dumps(FIRST_POLICY_DOCUMENT), reason="the policy that the system starts with")
    )
    op.add_column("approval_tickets", sa.Column("rules", postgresql.ARRAY(sa.Text()), nullable=True), schema="ops")
    # The rows are evidence: their triggers refuse any change, and come back with the rights.
    op.execute("ALTER TABLE ops.approval_tickets DISABLE TRIGGER USER")
    op.execute("UPDATE ops.approval_tickets SET rules = ARRAY[lower(type)]")
    op.execute("ALTER TABLE ops.approval_tickets ENABLE TRIGGER USER")
    op.alter_column("approval_tickets", "rules", nullable=False, schema="ops")
    op.create_check_constraint(
        op.f("ck_approval_tickets_rules_named"), "approval_tickets", "cardinality(rules) >= 1", schema="ops"
    )
    _replace_types(_TYPES)


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    _replace_types(_FIRST_TYPES)
    # The trigger names every column. The earlier version's `paimon db upgrade` makes its own.
    op.execute("DROP TRIGGER IF EXISTS keep_columns ON ops.approval_tickets")
    op.drop_column("approval_tickets", "rules", schema="ops")
    op.drop_table("approval_policy_drafts", schema="ops")
    op.drop_table("approval_policies", schema="ops")


def _replace_types(types: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_approval_tickets_type_known"), "approval_tickets", type_="check", schema="ops")
    values = ", ".join(f"'{value}'" for value in types)
    op.create_check_constraint(op.f("ck_approval_tickets_type_known"), "approval_tickets", f"type IN ({values})", schema="ops")
