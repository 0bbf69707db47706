"""The promise ledger and the liquidity ladder of the newest snapshot."""

from dataclasses import dataclass

from paimon.application.fund_risk.queries import load_risk_state
from paimon.application.nav.as_of import NoSnapshotYet
from paimon.application.nav.store import find_newest_snapshot
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.liquidity import default_liquidity_note
from paimon.domain.risk.promises import LadderDay, Promise, first_shortage, liquidity_ladder, promise_ledger
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession


@dataclass(frozen=True, slots=True)
class PromiseLedger:
    """The promises by due date and the coming days, as of one block. `note` says which defaults they rest on."""

    at: BlockStamp
    asset_decimals: int
    promises: tuple[Promise, ...]
    ladder: tuple[LadderDay, ...]
    first_shortage: LadderDay | None
    note: str | None


async def read_promises(session: ReadSession, policy: RiskPolicy, scope: SigningScope) -> PromiseLedger:
    """Return the ledger of the newest snapshot.

    Raises:
        NoSnapshotYet.
    """
    snapshot = await find_newest_snapshot(session)
    if snapshot is None:
        raise NoSnapshotYet
    state = await load_risk_state(session, snapshot, scope, now=await database_now(session), system_health=None)
    ladder = liquidity_ladder(state, policy)
    return PromiseLedger(
        snapshot.at,
        snapshot.asset_decimals,
        promise_ledger(state, policy),
        ladder,
        first_shortage(ladder),
        default_liquidity_note(state),
    )
