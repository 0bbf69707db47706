"""Prices: what each source said, and how each asset's price was judged."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015_prices"
down_revision = "0014_approval_policy"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_UINT256_MAX = 2**256 - 1
_KINDS_BEFORE = (
    *("RECONCILIATION_BREAK", "NAV_UNEXPLAINED", "LOW_GAS", "FINALITY_LAG", "FINAL_BLOCK_CHANGED", "ORPHANED_EFFECT"),
    *("CHAIN_BEHIND", "EFFECT_UNKNOWN", "UNSIGNED_MOVEMENT", "UNSIGNED_USER", "UNSIGNED_GRANT", "SPLIT_REDEMPTIONS"),
    *("DUST_REDEMPTIONS", "INDICATOR_BREACH", "RISK_LEVEL", "INVALID_VOTE"),
)
_ADDED = ("PRICE_UNTRUSTED", "USDT_OFF_PARITY")
_KINDS = (*_KINDS_BEFORE[:-1], *_ADDED, _KINDS_BEFORE[-1])  # in the order of the model
_FAULTS = (
    *("UNAVAILABLE", "UNREADABLE", "NOT_SIGNED", "NOT_POSITIVE", "TOO_LARGE", "NO_TIME", "IN_FUTURE", "OLDER_THAN_BEFORE"),
    *("ROUND_INCOMPLETE", "AT_BOUND", "FEED_CHANGED", "NO_PARITY"),
)


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.create_table(
        "price_observations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(78, 0), nullable=True),
        sa.Column("valued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("fault", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("publications", sa.BigInteger(), nullable=False),
        *_address_and_amounts("price_observations", "price"),
        _known("price_observations", "kind", ("ADAPTER", "AGGREGATOR", "HTTP")),
        _known("price_observations", "fault", _FAULTS),
        sa.CheckConstraint("(price IS NULL) = (fault IS NOT NULL)", name=op.f("ck_price_observations_price_or_fault")),
        sa.CheckConstraint("publications >= 0", name=op.f("ck_price_observations_publications_counted")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_observations")),
        schema="ops",
    )
    op.create_index("ix_price_observations_token_source", "price_observations", ["token", "source", "id"], schema="ops")
    op.create_table(
        "price_judgements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trust", sa.String(), nullable=False),
        sa.Column("price", sa.Numeric(78, 0), nullable=True),
        sa.Column("contract_price", sa.Numeric(78, 0), nullable=True),
        sa.Column("valued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.Column("notes", postgresql.JSONB(), nullable=False),
        sa.Column("sources", postgresql.JSONB(), nullable=False),
        *_address_and_amounts("price_judgements", "price", "contract_price"),
        _known("price_judgements", "tier", ("L1", "L2", "L3")),
        _known("price_judgements", "trust", ("TRUSTED", "UNTRUSTED")),
        sa.CheckConstraint("missed >= 0", name=op.f("ck_price_judgements_missed_counted")),
        sa.CheckConstraint("trust <> 'TRUSTED' OR price IS NOT NULL", name=op.f("ck_price_judgements_trusted_has_price")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_judgements")),
        schema="ops",
    )
    op.create_index("ix_price_judgements_token", "price_judgements", ["token", "id"], schema="ops")
    _replace_kinds(_KINDS)


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    op.execute(f"DELETE FROM ops.risk_events WHERE kind IN {_ADDED}")  # noqa: S608
    _replace_kinds(_KINDS_BEFORE)
    op.drop_table("price_judgements", schema="ops")
    op.drop_table("price_observations", schema="ops")


def _address_and_amounts(table: str, *columns: str) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint("octet_length(token) = 20", name=op.f(f"ck_{table}_token_length")),
        *(
            sa.CheckConstraint(f"{column} >= 0 AND {column} <= {_UINT256_MAX}", name=op.f(f"ck_{table}_{column}_uint256"))
            for column in columns
        ),
    ]


def _known(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN {values}", name=op.f(f"ck_{table}_{column}_known"))


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_risk_events_kind_known"), "risk_events", schema="ops")
    op.create_check_constraint(op.f("ck_risk_events_kind_known"), "risk_events", f"kind IN {kinds}", schema="ops")
