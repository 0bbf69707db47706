"""Ask the sources of the file: feeds on chain at the last recorded final block, and web services. Store what they say.

The next snapshot judges it. Sources are asked beside each other, each within its deadline, and the failure of one is its own
observation. Prices in USD are divided by the parity of USDT, which has sources of its own and is observed first.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import aiohttp

from paimon.application.common.chain_position import chain_position
from paimon.application.oracle.store import add_observation, load_observations
from paimon.application.risk_control.record_findings import record_check_result
from paimon.application.risk_control.store import lock_findings
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.price.agreement import price_text
from paimon.domain.price.observation import Observation, PriceFault, Quote, SourceKind, observe
from paimon.domain.price.parity import PARITY_SUBJECT, Parity, ParityStatus, judge_parity
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.blockchain.contracts.aggregator import read_quote
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.prices.http_source import fetch_quote
from paimon.settings import PricesSettings
from paimon.settings.price_sources import AggregatorSettings, AnySource

_SEVERITY = {ParityStatus.WARNING: Severity.WARNING, ParityStatus.CRITICAL: Severity.CRITICAL}


@dataclass(frozen=True, slots=True)
class _Answer:
    source: AnySource
    quote: Quote


async def observe_prices(database: Database, contracts: FundContracts, prices: PricesSettings) -> None:
    """Ask every source of the file once, and store what is new.

    Raises:
        CallReverted, RpcUnavailable, RpcError.
    """
    sources = prices.sources
    if not (sources.parity.sources or any(asset.sources for asset in sources.assets)):
        return
    async with database.read() as session:
        at = await chain_position(session)
    if at is None:
        return
    usdt = await contracts.read_one(contracts.vault.asset(), at=at)
    wanted = {usdt: sources.parity.sources, **{asset.token: asset.sources for asset in sources.assets}}
    async with aiohttp.ClientSession() as web:
        answers = await asyncio.gather(*(_ask_all(listed, web, contracts, prices, at) for listed in wanted.values()))
    by_token = dict(zip(wanted, answers, strict=True))
    async with database.write() as session:
        await lock_findings(session)
        parity = await _observe_parity(session, usdt, by_token.pop(usdt), prices, at)
        for token, given in by_token.items():
            await _store(session, token, (_in_usdt(answer, parity) for answer in given), at)


async def _ask_all(
    sources: Sequence[AnySource],
    web: aiohttp.ClientSession,
    contracts: FundContracts,
    prices: PricesSettings,
    at: BlockStamp,
) -> list[_Answer]:
    async def ask(source: AnySource) -> _Answer:
        if isinstance(source, AggregatorSettings):
            return _Answer(source, await read_quote(contracts, source, at=at))
        return _Answer(source, await fetch_quote(web, source, timeout_seconds=prices.source_timeout_seconds))

    return list(await asyncio.gather(*(ask(source) for source in sources)))


async def _observe_parity(
    session: WriteSession, usdt: Address, answers: Sequence[_Answer], prices: PricesSettings, at: BlockStamp
) -> Parity:
    """Store what the parity's sources say, and open or close the risk event of a USDT that is not worth a dollar."""
    observations = await _store(session, usdt, answers, at)
    rules, now = prices.policy().agreement_rules(Tier.L1), await database_now(session)
    names = {answer.source.name for answer in answers}
    present = [observation for observation in observations if observation.source.name in names]
    parity = judge_parity(present, prices.sources.parity.calendar, rules, now=now)
    if answers and parity.price is not None:
        await record_check_result(session, RiskKind.USDT_OFF_PARITY, PARITY_SUBJECT, _parity_finding(parity), block=at.number)
    return parity


def _parity_finding(parity: Parity) -> Finding | None:
    severity = _SEVERITY.get(parity.status)
    if severity is None or parity.price is None:
        return None
    observed = f"{price_text(parity.price)} USD"
    return Finding(RiskKind.USDT_OFF_PARITY, PARITY_SUBJECT, observed, "1 USD, less than 0.5 % off", severity)


def _in_usdt(answer: _Answer, parity: Parity) -> _Answer:
    """Convert a price in USD; without a parity it is no price."""
    quote = answer.quote
    if answer.source.quote == "USDT" or quote.price is None:
        return answer
    if (price := parity.in_usdt(quote.price)) is None:
        detail = "quoted in USD, and no sources agree on USDT/USD"
        return replace(answer, quote=replace(quote, price=None, fault=PriceFault.NO_PARITY, detail=detail))
    return replace(answer, quote=replace(quote, price=price))


async def _store(session: WriteSession, token: Address, answers: Iterable[_Answer], at: BlockStamp) -> list[Observation]:
    """Store the observations of one token's sources, and return the last one of each.

    A feed on chain is dated by its block, a web service by the database's time.
    """
    known, now = await load_observations(session, token), await database_now(session)
    for answer in answers:
        source = answer.source.source
        on_chain = source.kind is SourceKind.AGGREGATOR
        seen = observe(
            source,
            answer.quote,
            known.last_good(source.name),
            now=at.timestamp if on_chain else now,
            block_number=at.number if on_chain else None,
        )
        known = await add_observation(session, token, seen, known)
    return known.newest
