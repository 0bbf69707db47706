"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

# A change of a table waits for every transaction that uses it, and later transactions wait behind the change. After five
# seconds the migration fails instead, and is rolled back.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


def upgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
    # Where a statement may run long (it reads or writes many rows), bound it: SET LOCAL statement_timeout = '10min'
% if upgrades:
    ${upgrades}
% endif


def downgrade() -> None:
    op.execute(_LOCK_TIMEOUT)
% if downgrades:
    ${downgrades}
% endif
