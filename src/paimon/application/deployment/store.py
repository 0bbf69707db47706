"""SQL of contract facts: one row for each state of a contract, extended while nothing changes."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.deployment.contract_facts import ContractFacts, Deployment, FunctionState
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32, hex0x
from paimon.infrastructure.database.models.ops.contract_facts import ContractFactsRow
from paimon.infrastructure.database.sessions import WriteSession

_LOCK: Final = 0x636F6E7472616374
_NEWEST: Final = (
    select(ContractFactsRow)
    .ext(distinct_on(ContractFactsRow.contract))
    .order_by(ContractFactsRow.contract, ContractFactsRow.id.desc())
)


async def find_deployment(session: AsyncSession) -> Deployment | None:
    """Return the contracts as they were last examined; None before the first examination."""
    rows = await newest_facts(session)
    if not rows:
        return None
    last = min(rows.values(), key=lambda row: row.last_block_number)
    at = BlockStamp(last.last_block_number, Hash32(last.last_block_hash), last.last_block_timestamp)
    return Deployment(at, tuple(to_domain(rows[name]) for name in ContractName if name in rows))


async def lock_facts(session: WriteSession) -> None:
    """Wait until no other transaction keeps facts, and keep others waiting until this one ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def newest_facts(session: AsyncSession) -> Mapping[ContractName, ContractFactsRow]:
    """Return the newest row of each contract."""
    return {row.contract: row for row in await session.scalars(_NEWEST)}


async def keep_facts(session: WriteSession, found: Deployment, newest: Mapping[ContractName, ContractFactsRow]) -> None:
    """Extend the newest row of each contract that is as it was, and add a row for each that is not."""
    last = {
        "last_block_number": found.at.number,
        "last_block_hash": found.at.hash,
        "last_block_timestamp": found.at.timestamp,
    }
    for facts in found.contracts:
        row = newest.get(facts.contract)
        if row is not None and to_domain(row) == facts:
            for column, value in last.items():
                setattr(row, column, value)
        else:
            session.add(_row(facts, found.at, last))


def to_domain(row: ContractFactsRow) -> ContractFacts:
    """Return the facts of a row."""
    return ContractFacts(
        contract=row.contract,
        address=Address(row.address),
        code_hash=Hash32(row.code_hash),
        implementation=None if row.implementation is None else Address(row.implementation),
        admin=None if row.admin is None else Address(row.admin),
        functions={signature: FunctionState(state) for signature, state in row.functions.items()},
        errors=frozenset(row.errors),
        unknown_selectors=tuple(bytes.fromhex(selector.removeprefix("0x")) for selector in row.unknown_selectors),
    )


def _row(facts: ContractFacts, at: BlockStamp, last: Mapping[str, object]) -> ContractFactsRow:
    return ContractFactsRow(
        contract=facts.contract,
        address=facts.address,
        code_hash=facts.code_hash,
        implementation=facts.implementation,
        admin=facts.admin,
        functions={signature: state.value for signature, state in facts.functions.items()},
        errors=sorted(facts.errors),
        unknown_selectors=[hex0x(selector) for selector in facts.unknown_selectors],
        block_number=at.number,
        block_hash=at.hash,
        block_timestamp=at.timestamp,
        **last,
    )
