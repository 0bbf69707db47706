"""The holder register: who holds the fund at a block."""

from dataclasses import dataclass

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.domain.vault.holder_register import RegisteredHolder
from paimon.infrastructure.database.paging import Page


@dataclass(frozen=True, slots=True)
class HolderList:
    """Holders at a block, largest first, valued by the last snapshot until then; None before the first snapshot."""

    at: BlockStamp
    supply: RawAmount
    valuation_snapshot: FundSnapshot | None
    page: Page[RegisteredHolder]
