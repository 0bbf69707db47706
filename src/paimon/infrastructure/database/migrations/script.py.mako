"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

# A change of a table waits for everyone who uses it, and everyone who comes later waits behind it. After five seconds the
# migration gives up instead, and all of it is taken back.
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
