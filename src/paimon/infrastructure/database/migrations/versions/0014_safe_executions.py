"""An intent may be the execution of a Safe's proposal."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_KINDS = ("approve_redemption", "reject_redemption", "settle_redemption")


def _restrict_intents(kinds: tuple[str, ...]) -> None:
    name, series_limits = op.f("ck_transaction_intents_kind_known"), ", ".join(f"'{each}'" for each in kinds)
    op.drop_constraint(name, "transaction_intents", schema="owned")
    op.create_check_constraint(name, "transaction_intents", f"kind IN ({series_limits})", schema="owned")


def upgrade() -> None:
    _restrict_intents((*_KINDS, "execute_safe"))


def downgrade() -> None:
    _restrict_intents(_KINDS)
