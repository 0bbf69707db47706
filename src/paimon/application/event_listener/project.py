"""From decoded logs to the derived tables: load what the batch touches, fold the events, write back what changed."""

from collections.abc import Sequence

from sqlalchemy import delete, select, tuple_

from paimon.application.event_listener.decode import DecodedLog
from paimon.application.redemptions.store import to_domain, to_values
from paimon.domain.chain import Address
from paimon.domain.holding import Holding
from paimon.domain.projection import Projection, Touched, touched
from paimon.domain.redemption import InapplicableEvent
from paimon.domain.units import RawAmount
from paimon.infrastructure.database.models.derived import ContractFlag, RedemptionRequest, RoleHolder
from paimon.infrastructure.database.models.derived import Holding as HoldingRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.database.upsert import upsert


async def project(session: WriteSession, logs: Sequence[DecodedLog]) -> None:
    """Fold the batch's events into the derived tables; a log that cannot be applied is quarantined with its reason.

    Absolute values are written, not increments: the caller's compare-and-set on the cursor makes it the only writer.
    The tables' schema is the session's business, so that a replay can have them written elsewhere.
    """
    projection = await _load(session, touched(log.event for log in logs if log.event))
    for log in logs:
        if log.event is None:
            continue
        try:
            projection.apply(log.event, contract=log.contract, at=log.log.block)
        except InapplicableEvent as error:
            log.quarantine(str(error))
    await _save(session, projection)


async def _load(session: WriteSession, needed: Touched) -> Projection:
    projection = Projection()
    requests = select(RedemptionRequest).where(RedemptionRequest.request_id.in_(needed.requests))
    for row in await session.scalars(requests):
        projection.redemptions[row.request_id] = to_domain(row)
    holdings = select(HoldingRow.holder, HoldingRow.shares, HoldingRow.locked_shares).where(
        HoldingRow.holder.in_(needed.holders)
    )
    for holder, shares, locked_shares in await session.execute(holdings):
        projection.holdings[holder] = Holding(Address(holder), RawAmount(shares), RawAmount(locked_shares))
    return projection


async def _save(session: WriteSession, projection: Projection) -> None:
    await upsert(
        session,
        RedemptionRequest,
        [to_values(projection.redemptions[key], updated_block=block) for key, block in projection.updated_block.items()],
    )
    await upsert(
        session,
        HoldingRow,
        [
            {"holder": each.holder, "shares": each.shares, "locked_shares": each.locked_shares}
            for each in (projection.holdings[holder] for holder in projection.moved)
        ],
    )
    await upsert(
        session,
        RoleHolder,
        [
            {"contract": contract, "role": role, "account": account}
            for (contract, role, account), held in projection.roles.items()
            if held
        ],
    )
    if revoked := [key for key, held in projection.roles.items() if not held]:
        await session.execute(
            delete(RoleHolder).where(tuple_(RoleHolder.contract, RoleHolder.role, RoleHolder.account).in_(revoked))
        )
    await upsert(
        session,
        ContractFlag,
        [
            {"contract": contract, "flag": flag.value, "enabled": state.enabled, "since_block": state.since_block}
            for (contract, flag), state in projection.flags.items()
        ],
    )
