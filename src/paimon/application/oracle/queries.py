"""Reads of prices: how each asset's price is judged, and what each source said over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.oracle.store import to_observation
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.units import RawAmount
from paimon.domain.price.agreement import SourceUse
from paimon.domain.price.observation import Observation, PriceFault, SourceKind
from paimon.domain.price.trust import PriceTrust, price_deviation
from paimon.errors import NotFound
from paimon.infrastructure.database.models.ops.price import PriceObservationRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first
from paimon.infrastructure.database.sessions import ReadSession


class PriceNotFound(NotFound):
    """No price of this token was ever observed: it is no asset of the fund, or no snapshot was taken yet."""


@dataclass(frozen=True, slots=True)
class JudgedSource:
    """One source's last observation as a judgement counted it."""

    name: str
    kind: SourceKind
    upstream: str
    use: SourceUse
    price: RawAmount | None
    valued_at: datetime
    fault: PriceFault | None
    note: str | None


@dataclass(frozen=True, slots=True)
class JudgedPrice:
    """A judgement of one asset's price, in force from its block on."""

    token: Address
    tier: Tier
    block_number: int
    at: datetime
    trust: PriceTrust
    price: RawAmount | None
    contract_price: RawAmount | None
    valued_at: datetime | None
    missed: int
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    sources: tuple[JudgedSource, ...]

    @property
    def is_trusted(self) -> bool:
        return self.trust is PriceTrust.TRUSTED

    @property
    def deviation(self) -> Decimal | None:
        """Return how far the contracts' price is from the agreed one; None without a source beside the fund's adapter."""
        return price_deviation(self.contract_price, self.price, (source.kind for source in self.sources))


_IN_FORCE: Final = text("""
    SELECT DISTINCT ON (token)
           token, tier, block_number, at, trust, price, contract_price, valued_at, missed, reasons, notes, sources
      FROM ops.price_judgements
     WHERE CAST(:block AS bigint) IS NULL OR block_number <= :block
     ORDER BY token, id DESC
""")


async def load_judged_prices(session: AsyncSession, *, block: int | None = None) -> dict[Address, JudgedPrice]:
    """Return the judgement of each asset that is in force now, or was at a block."""
    rows = await session.execute(_IN_FORCE, {"block": block})
    return {Address(bytes(row.token)): _judged(row) for row in rows}


async def load_untrusted(session: AsyncSession, *, block: int | None = None) -> Mapping[Address, str]:
    """Return the assets whose price is not trusted, each with the reasons."""
    judged = await load_judged_prices(session, block=block)
    return {token: "; ".join(price.reasons) for token, price in judged.items() if not price.is_trusted}


def _judged(row: Any) -> JudgedPrice:
    return JudgedPrice(
        token=Address(bytes(row.token)),
        tier=Tier(row.tier),
        block_number=row.block_number,
        at=row.at.astimezone(UTC),
        trust=PriceTrust(row.trust),
        price=_amount(row.price),
        contract_price=_amount(row.contract_price),
        valued_at=None if row.valued_at is None else row.valued_at.astimezone(UTC),
        missed=row.missed,
        reasons=tuple(row.reasons),
        notes=tuple(row.notes),
        sources=tuple(
            JudgedSource(
                name=source["source"],
                kind=SourceKind(source["kind"]),
                upstream=source["upstream"],
                use=SourceUse(source["use"]),
                price=_amount(source["price"]),
                valued_at=datetime.fromisoformat(source["valuedAt"]),
                fault=None if source["fault"] is None else PriceFault(source["fault"]),
                note=source["note"],
            )
            for source in row.sources
        ),
    )


def _amount(value: Any) -> RawAmount | None:
    return None if value is None else RawAmount(int(value))


async def list_observations(session: ReadSession, page: PageRequest, token: Address) -> Page[Observation]:
    """Return what the sources said of a token's price, latest first.

    Raises:
        PriceNotFound.
    """
    row = PriceObservationRow
    query = select(row).where(row.token == token)
    found: Page[PriceObservationRow] = await fetch_page(session, query, page, lambda one: one, order=latest_first(row.id))
    if not found.items and page.after is None and page.number == 1:
        raise PriceNotFound(f"no price of {checksum(token)} was ever observed; `GET /prices` lists the assets with one")
    return found.mapped(to_observation)
