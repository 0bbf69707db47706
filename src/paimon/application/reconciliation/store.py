"""Storage of reconciliations, and the recorded state that they compare."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select, text

from paimon.application.common.chain_position import NothingRecorded, chain_position
from paimon.application.event_listener.record.projection_rows import from_row
from paimon.application.reconciliation.recorded_state import RecordedCatalogue, RecordedState
from paimon.application.vault.store import load_tokens
from paimon.domain.asset.asset import Asset, TierBand
from paimon.domain.asset.otc_order import OtcOrder
from paimon.domain.asset.token_transfer import TokenFlow
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.projection import ContractFlag
from paimon.domain.risk.discrepancy import Discrepancy
from paimon.domain.vault.fees import FeeAccount
from paimon.domain.vault.share_balance import ShareBalance
from paimon.infrastructure.database.models.derived import (
    AssetConfigRow,
    ContractFlagRow,
    FeeAccountRow,
    OtcOrderRow,
    ProtocolAddressRow,
    RedemptionRequestRow,
    RoleHolderRow,
    ShareBalanceRow,
    TierConfigRow,
    TokenFlowRow,
)
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_ROLES_SEEN: Final = text("SELECT DISTINCT contract, role, account FROM derived.role_changes")

_LOCKED_NAVS: Final = text("""
    SELECT DISTINCT ON (subject) subject, data ->> 'lockedNav'
      FROM derived.observations WHERE kind = 'locked_nav' ORDER BY subject, block_number DESC
""")


async def load_recorded_state(session: ReadSession) -> RecordedState:
    """Return the derived tables at the cursor's block.

    Raises:
        NothingRecorded: the listener has not begun.
    """
    at = await chain_position(session)
    if at is None:
        raise NothingRecorded("the listener has recorded nothing yet; there is nothing to compare")
    state = RecordedState(at)
    for balance in await session.scalars(select(ShareBalanceRow)):
        state.share_balances.append(
            ShareBalance(Address(balance.holder), RawAmount(balance.shares), RawAmount(balance.locked_shares))
        )
    for request in await session.scalars(select(RedemptionRequestRow).order_by(RedemptionRequestRow.request_id)):
        state.redemptions.append(to_domain(request))
    for role in await session.scalars(select(RoleHolderRow)):
        state.roles_held.add((role.contract, role.role, Address(role.account)))
    for flag in await session.scalars(select(ContractFlagRow)):
        state.flags[flag.contract, ContractFlag(flag.flag)] = flag.enabled
    for contract, role_id, account in await session.execute(_ROLES_SEEN):
        state.roles_seen.add((ContractName(contract), Hash32(role_id), Address(account)))
    for subject, nav in await session.execute(_LOCKED_NAVS):
        state.locked_navs[int(subject)] = int(nav)
    state.catalogue = await _load_catalogue(session)
    return state


async def _load_catalogue(session: ReadSession) -> RecordedCatalogue:
    flows = {Address(row.token): from_row(TokenFlow, row) for row in await session.scalars(select(TokenFlowRow))}
    tokens = await load_tokens(session)
    balances = {
        token: terms.balance_before + flow.received - flow.sent
        for token, terms in tokens.items()
        if (flow := flows.get(token, TokenFlow(token)))
    }
    return RecordedCatalogue(
        assets=[from_row(Asset, row) for row in await session.scalars(select(AssetConfigRow))],
        bands=[from_row(TierBand, row) for row in await session.scalars(select(TierConfigRow))],
        orders=[from_row(OtcOrder, row) for row in await session.scalars(select(OtcOrderRow))],
        protocol_addresses={
            (row.contract, row.role): Address(row.address) for row in await session.scalars(select(ProtocolAddressRow))
        },
        fees={row.kind: from_row(FeeAccount, row) for row in await session.scalars(select(FeeAccountRow))},
        balances=balances,
    )


def add_reconciliation(
    session: WriteSession, at: BlockStamp, *, figures_compared: int, discrepancies: Sequence[Discrepancy]
) -> None:
    """Add the record of one reconciliation, with every discrepancy it found."""
    session.add(
        ReconciliationRow(
            block_number=at.number,
            block_hash=at.hash,
            figures_compared=figures_compared,
            discrepancies=[
                {"subject": found.subject, "recorded": found.recorded_value, "chain": found.chain_value}
                for found in discrepancies
            ],
        )
    )
