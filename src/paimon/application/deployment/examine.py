"""Examine the fund's contracts at the last recorded final block, and keep what they were found to be.

    requested by      the listener when it has caught up, an event of an upgrade, the clock, an operator
    first time        the facts are kept
    nothing changed   the newest facts are kept until this block
    code, proxy or    new facts are kept, and a critical risk event says what changed
    functions changed

A function that reverts at one block and answers at the next is no change of the contract: only its code and its proxy are.
Code that is gone is a change. A changed contract whose answers fail is known by its code: it must not hide the change.
"""

import structlog

from paimon.application.common.chain_position import chain_position
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.deployment.store import find_deployment, keep_facts, lock_facts, newest_facts, to_domain
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.deployment.contract_change import change_subject
from paimon.domain.deployment.contract_facts import NO_CODE, ContractFacts, Deployment
from paimon.domain.kernel.chain import BlockStamp, checksum, hex0x
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.blockchain.contracts.deployment import ask_functions, read_programs, show_functions
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)


async def examine_contracts(database: Database, contracts: FundContracts) -> Deployment | None:
    """Examine the contracts and keep what was found.

    Return None before the listener's first batch, while the contracts were never seen deployed, and when another examination
    or a recovery overtook this one.

    Raises:
        RpcUnavailable, RpcError.
    """
    async with database.read() as session:
        at = await chain_position(session)
        known = await find_deployment(session)
    if at is None:
        return None
    found = await _look(contracts, known, at=at)
    async with database.write() as session:
        await lock_facts(session)
        newest = await newest_facts(session)
        if not newest and not found.is_deployed:
            log.info("contracts.not_deployed", block=at.number)
            return None
        if any(row.last_block_number > at.number for row in newest.values()) or not await lock_recorded_block(session, at):
            return None
        await keep_facts(session, found, newest)
        changed = [
            _changed(before, facts, block=at.number)
            for facts in found.contracts
            if (row := newest.get(facts.contract)) is not None and (before := to_domain(row)).identity != facts.identity
        ]
        await record_facts(session, changed, block=at.number)
    log.info("contracts.examined", block=at.number, missing=[str(each.capability) for each in found.absent])
    return found


async def _look(contracts: FundContracts, known: Deployment | None, *, at: BlockStamp) -> Deployment:
    """Read the contracts. Where one is another than known, what the code shows is enough: it may make its answers fail.

    Raises:
        RpcUnavailable, RpcError.
    """
    programs = await read_programs(contracts, at=at)
    try:
        return await ask_functions(contracts, programs, at=at)
    except (RpcUnavailable, RpcError) as error:
        shown = show_functions(contracts, programs, at=at)
        if known is None or not shown.differs_from(known):
            raise
        log.warning("contracts.answers_missing", block=at.number, reason=str(error))
        return shown


def _changed(before: ContractFacts, now: ContractFacts, *, block: int) -> Finding:
    """Return the finding of a contract that is another one than before, by the functions that came and went."""
    return Finding(
        RiskKind.CONTRACT_CHANGED,
        change_subject(now.contract, now.address, block=block),
        _describe(now, now.function_changes(before)),
        _describe(before, ()),
        Severity.CRITICAL,
    )


def _describe(facts: ContractFacts, changes: tuple[str, ...]) -> str:
    proxy = "" if facts.implementation is None else f" of the implementation {checksum(facts.implementation)}"
    admin = "" if facts.admin is None else f", admin {checksum(facts.admin)}"
    functions = f"; {', '.join(changes)}" if changes else ""
    code = "no code" if facts.code_hash == NO_CODE else f"code {hex0x(facts.code_hash)}"
    return f"{code}{proxy}{admin}{functions}"
