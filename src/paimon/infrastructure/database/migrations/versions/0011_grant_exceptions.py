"""Rights that a grant gives to a person, or takes, besides those of the role."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011_grant_exceptions"
down_revision = "0010_first_indexes"
branch_labels = None
depends_on = None

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
_TABLES = ("users", "user_grants")
_COLUMNS = ("granted", "denied")


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    for table in _TABLES:
        for name in _COLUMNS:
            column: sa.Column[list[str]] = sa.Column(name, postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)
            op.add_column(table, column, schema="ops")


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    # The trigger names every column. The earlier version's `paimon db upgrade` makes its own.
    op.execute("DROP TRIGGER IF EXISTS keep_columns ON ops.user_grants")
    for table in _TABLES:
        for name in _COLUMNS:
            op.drop_column(table, name, schema="ops")
