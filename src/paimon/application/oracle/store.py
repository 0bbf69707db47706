"""Storage of prices: what sources said, and how each asset's price was judged. Rows are only added."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.price.observation import Observation, PriceFault, PriceSource, SourceKind, is_repeated
from paimon.domain.price.trust import Judgement, PastPrice, PriceTrust
from paimon.infrastructure.database.models.ops.price import PriceJudgementRow, PriceObservationRow
from paimon.infrastructure.database.sessions import WriteSession

_PAST_MAX: Final = 2_000
"""Judgements of one asset that are looked at. A trusted price older than these is as good as none."""


@dataclass(frozen=True, slots=True)
class KnownObservations:
    """The last observation of each source of one token, and the last one without a fault."""

    by_source: Mapping[str, Observation] = field(default_factory=dict)
    good_by_source: Mapping[str, Observation] = field(default_factory=dict)

    @property
    def newest(self) -> list[Observation]:
        return list(self.by_source.values())

    def last_good(self, source: str) -> Observation | None:
        return self.good_by_source.get(source)

    def having(self, observation: Observation) -> "KnownObservations":
        added = {observation.source.name: observation}
        good = added if observation.fault is None else {}
        return KnownObservations({**self.by_source, **added}, {**self.good_by_source, **good})


_NEWEST: Final = text("""
    SELECT DISTINCT ON (source, fault IS NULL)
           id, source, kind, upstream, price, valued_at, published_at, seen_at, block_number, fault, detail, publications
      FROM ops.price_observations WHERE token = :token
     ORDER BY source, fault IS NULL, id DESC
""")


async def load_observations(session: AsyncSession, token: Address) -> KnownObservations:
    """Return the last observations of a token's sources."""
    newest: dict[str, tuple[int, Observation]] = {}
    good: dict[str, Observation] = {}
    for row in await session.execute(_NEWEST, {"token": token}):
        observation = to_observation(row)
        if observation.fault is None:
            good[row.source] = observation
        if row.source not in newest or newest[row.source][0] < row.id:
            newest[row.source] = (row.id, observation)
    return KnownObservations({source: observation for source, (_, observation) in newest.items()}, good)


def to_observation(row: Any) -> Observation:
    """Return the observation of a row."""
    return Observation(
        source=PriceSource(row.source, SourceKind(row.kind), row.upstream),
        price=None if row.price is None else RawAmount(int(row.price)),
        valued_at=row.valued_at.astimezone(UTC),
        seen_at=row.seen_at.astimezone(UTC),
        published_at=None if row.published_at is None else row.published_at.astimezone(UTC),
        block_number=row.block_number,
        fault=None if row.fault is None else PriceFault(row.fault),
        detail=row.detail,
        publications=row.publications,
    )


async def add_observation(
    session: WriteSession, token: Address, observation: Observation, known: KnownObservations
) -> KnownObservations:
    """Store an observation, unless it repeats the source's last one; return what is known with it."""
    if is_repeated(observation, known.by_source.get(observation.source.name)):
        return known
    session.add(
        PriceObservationRow(
            token=token,
            source=observation.source.name,
            kind=observation.source.kind,
            upstream=observation.source.upstream,
            price=observation.price,
            valued_at=observation.valued_at,
            published_at=observation.published_at,
            seen_at=observation.seen_at,
            block_number=observation.block_number,
            fault=observation.fault,
            detail=observation.detail,
            publications=observation.publications,
        )
    )
    await session.flush()
    return known.having(observation)


_PAST: Final = text("""
    SELECT at, price, valued_at, trust, released FROM (
        SELECT * FROM ops.price_judgements
         WHERE token = :token
           AND id >= coalesce((SELECT max(id) FROM ops.price_judgements
                                WHERE token = :token AND trust = 'TRUSTED' AND at <= :day_ago), 0)
         ORDER BY id DESC LIMIT :rows_max) AS newest
     WHERE price IS NOT NULL AND valued_at IS NOT NULL
     ORDER BY id
""")


async def load_past_prices(session: AsyncSession, token: Address, *, now: datetime) -> list[PastPrice]:
    """Return a token's agreed prices, oldest first, from the trusted one that was in force 24 hours ago on."""
    values = {"token": token, "day_ago": now - timedelta(hours=24), "rows_max": _PAST_MAX}
    return [
        PastPrice(
            row.at.astimezone(UTC),
            RawAmount(int(row.price)),
            row.valued_at.astimezone(UTC),
            trusted=row.trust == PriceTrust.TRUSTED,
            released=row.released,
        )
        for row in await session.execute(_PAST, values)
    ]


async def find_judged_block(session: AsyncSession) -> int | None:
    """Return the block of the last judgement."""
    block: int | None = (await session.execute(select(func.max(PriceJudgementRow.block_number)))).scalar()
    return block


async def add_judgement(session: WriteSession, judgement: Judgement, *, block_number: int) -> None:
    """Store a judgement, unless it repeats the token's last one."""
    values = _values(judgement)
    row = PriceJudgementRow
    newest = select(row).where(row.token == judgement.asset.token).order_by(row.id.desc()).limit(1)
    last = (await session.scalars(newest)).one_or_none()
    if last is not None and all(getattr(last, name) == value for name, value in values.items()):
        return
    session.add(row(block_number=block_number, at=judgement.at, **values))
    await session.flush()


def _values(judgement: Judgement) -> dict[str, Any]:
    return {
        "token": judgement.asset.token,
        "tier": judgement.asset.tier,
        "trust": judgement.trust,
        "price": judgement.price,
        "contract_price": judgement.asset.contract_price,
        "valued_at": judgement.valued_at,
        "missed": judgement.missed,
        "released": judgement.released,
        "reasons": list(judgement.reasons),
        "notes": list(judgement.notes),
        "sources": [
            {
                "source": verdict.observation.source.name,
                "kind": verdict.observation.source.kind,
                "upstream": verdict.observation.source.upstream,
                "use": verdict.use,
                "note": verdict.note,
                "fault": verdict.observation.fault,
                "price": None if verdict.observation.price is None else str(verdict.observation.price),
                "valuedAt": verdict.observation.valued_at.isoformat(),
            }
            for verdict in judgement.sources
        ],
    }
