"""What a policy is held against before it is published: the deadline of votes, and what the hot key may send by itself."""

from decimal import Decimal

from paimon.domain.approval.matching import AmountRange, Cut, Match, Names
from paimon.domain.approval.policy import REDEMPTIONS, OperationKind
from paimon.domain.approval.policy_check import PolicyBounds
from paimon.domain.kernel.chain import ContractName
from paimon.domain.transaction.wallet_selection import ALLOWED_FUNCTIONS, PlanWallet
from paimon.settings import SendingSettings, Settings


def policy_bounds(settings: Settings) -> PolicyBounds:
    """Return the bounds that follow from the settings. `paimon config check` compares those with the signer's policy."""
    return PolicyBounds(settings.approval.redemption_deadline_max, _key_operations(settings.sending))


def _key_operations(sending: SendingSettings) -> Match | None:
    if sending.hot is None:
        return None
    return Match(
        kinds=Names.of(kind for kind in OperationKind if kind not in REDEMPTIONS),
        sources=Names.of([PlanWallet.HOT]),
        contracts=Names.of([ContractName.ASSET_CONTROLLER]),
        methods=Names.of(ALLOWED_FUNCTIONS[PlanWallet.HOT] or ()),
        amount=AmountRange(end=Cut(Decimal(sending.hot_limits.plan))),
        amount_24h=AmountRange(end=Cut(Decimal(sending.hot_limits.day), is_after=True)),
    )
