"""Create all tables and the function. The modules in `initial`, beside this folder, define them."""

from alembic import op

from paimon.infrastructure.database.migrations.initial import (
    derived_chain,
    derived_fund,
    derived_money,
    functions,
    ops_approvals,
    ops_operations,
    ops_safes,
    ops_transactions,
)

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA derived")
    op.execute("CREATE SCHEMA ops")
    derived_chain.create_tables()
    derived_fund.create_tables()
    derived_money.create_tables()
    ops_approvals.create_tables()  # before the transactions, which refer to their tickets
    ops_transactions.create_tables()  # before the plans, which refer to their intents
    ops_safes.create_tables()
    ops_operations.create_tables()
    functions.create_functions()


def downgrade() -> None:
    op.execute("DROP SCHEMA derived CASCADE")
    op.execute("DROP SCHEMA ops CASCADE")
