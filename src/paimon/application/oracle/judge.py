"""Judge the prices of the fund's assets at a snapshot's block, in the transaction that stores the snapshot.

    snapshot ──► observation of the adapter ──► judgement of each listed asset ──► risk event PRICE_UNTRUSTED per held asset

So no snapshot is stored whose prices were not judged, and NAV of its block is withheld while a held asset's price is not
trusted (`application/nav/publication.py`). An observation or a judgement that repeats the last one is not stored again. A
snapshot of an earlier block than the last judgement changes nothing.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from paimon.application.oracle.store import (
    add_judgement,
    add_observation,
    find_judged_block,
    load_observations,
    load_past_prices,
)
from paimon.application.risk_control.record_findings import record_check_results
from paimon.application.risk_control.store import lock_findings
from paimon.domain.price.agreement import price_text
from paimon.domain.price.observation import ADAPTER_SOURCE, Quote, observe
from paimon.domain.price.policy import PricePolicy
from paimon.domain.price.trust import Judgement, PricedAsset, judge_price
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity, untrusted_price_subject
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot, token_value
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

_EXPECTED: Final = "a trusted price; until then NAV is not official, and no plan may trade the asset"


async def judge_prices(session: WriteSession, snapshot: FundSnapshot, policy: PricePolicy) -> list[Judgement]:
    """Judge every listed asset of a snapshot, record what changed, and return the judgements."""
    await lock_findings(session)
    judged_block = await find_judged_block(session)
    if judged_block is not None and judged_block > snapshot.at.number:
        return []
    judgements = [await _judge(session, position, snapshot, policy) for position in snapshot.assets if position.is_listed]
    findings = [
        _finding(judgement, position, snapshot)
        for judgement in judgements
        if not judgement.is_trusted and (position := snapshot.position(judgement.asset.token)) and position.balance
    ]
    await record_check_results(session, RiskKind.PRICE_UNTRUSTED, findings, block=snapshot.at.number)
    _log(judgements, snapshot)
    return judgements


async def _judge(session: WriteSession, position: AssetPosition, snapshot: FundSnapshot, policy: PricePolicy) -> Judgement:
    token, now = position.token, snapshot.at.timestamp
    known = await load_observations(session, token)
    quote = Quote(position.price, position.priced_at)
    seen = observe(ADAPTER_SOURCE, quote, known.last_good(ADAPTER_SOURCE.name), now=now, block_number=snapshot.at.number)
    if position.price is not None:
        known = await add_observation(session, token, seen, known)
    asset = PricedAsset(token, position.tier, position.price)
    past = await load_past_prices(session, token, now=now)
    pricing = policy.pricing(token)
    observations = [observation for observation in known.newest if pricing.counts(observation.source)]
    judgement = judge_price(asset, observations, past, policy, now=now)
    await add_judgement(session, judgement, block_number=snapshot.at.number)
    return judgement


def _finding(judgement: Judgement, position: AssetPosition, snapshot: FundSnapshot) -> Finding:
    return Finding(
        RiskKind.PRICE_UNTRUSTED,
        untrusted_price_subject(position.token),
        "; ".join((*judgement.reasons, *_apart(judgement, position, snapshot)))[:1_000],
        _EXPECTED,
        Severity.CRITICAL,
    )


def _apart(judgement: Judgement, position: AssetPosition, snapshot: FundSnapshot) -> list[str]:
    """Say in money how far the contracts' value of a position is from that at the agreed price: they settle by their own."""
    if judgement.price is None or judgement.price == position.price:
        return []
    apart = position.value - token_value(position.balance, judgement.price, position.decimals)
    side = "above" if apart > 0 else "below"
    money = price_text(abs(apart) * 10**18 // 10**snapshot.asset_decimals)
    return [f"the contracts settle by a value {money} USDT {side} that of the sources"]


def _log(judgements: Sequence[Judgement], snapshot: FundSnapshot) -> None:
    for judgement in judgements:
        if not judgement.is_trusted:
            token = untrusted_price_subject(judgement.asset.token)
            log.warning("price.untrusted", subject=token, block=snapshot.at.number, reasons=list(judgement.reasons))
