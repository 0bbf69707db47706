"""Figures of supply, share balances, requests, roles and flags: as recorded, and as read from the chain at the same block.

A number on chain that stands for nothing we know (a status, a channel or a tier of a later version) is a discrepancy like any
other.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from paimon.application.reconciliation.catalogue_figures import FigureMap
from paimon.application.reconciliation.recorded_state import RecordedState
from paimon.domain.deployment.contract_facts import Deployment
from paimon.domain.kernel.chain import Address, ContractName, Hash32, checksum
from paimon.domain.projection import ContractFlag
from paimon.domain.redemption.request import OnChainStatus, Redemption, RedemptionChannel
from paimon.domain.risk.discrepancy import enum_name_or_number
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.present_reads import PresentReads
from paimon.infrastructure.blockchain.contracts.reads import ContractRead, FailedRead, PendingRead
from paimon.infrastructure.blockchain.contracts.redemption_manager import RequestResult

_FLAGS: Final[Mapping[tuple[ContractName, ContractFlag], Callable[[FundContracts], ContractRead[bool]]]] = {
    (ContractName.VAULT, ContractFlag.PAUSED): lambda fund: fund.vault.paused(),
    (ContractName.REDEMPTION_MANAGER, ContractFlag.PAUSED): lambda fund: fund.redemption_manager.paused(),
    (ContractName.ASSET_CONTROLLER, ContractFlag.PAUSED): lambda fund: fund.asset_controller.paused(),
    (ContractName.VAULT, ContractFlag.EMERGENCY_MODE): lambda fund: fund.vault.emergency_mode(),
}


def recorded_figures(state: RecordedState) -> FigureMap:
    """Return every recorded figure, by subject."""
    figures: FigureMap = {
        "supply": sum(balance.shares for balance in state.share_balances),
        "locked shares": sum(balance.locked_shares for balance in state.share_balances),
        "redemption liability": sum(redemption.gross_amount for redemption in state.redemptions if redemption.is_open),
        "request count": len(state.redemptions),
    }
    for balance in state.share_balances:
        figures[f"shares of {checksum(balance.holder)}"] = int(balance.shares)
        figures[f"locked shares of {checksum(balance.holder)}"] = int(balance.locked_shares)
    for redemption in state.redemptions:
        for name, value in _request_figures(redemption, state.locked_navs.get(redemption.request_id)).items():
            figures[f"request {redemption.request_id} {name}"] = value
    for contract, role, account in state.roles_seen:
        figures[_role_subject(contract, role, account)] = (contract, role, account) in state.roles_held
    for contract, flag in _FLAGS:
        figures[f"{contract} {flag}"] = state.flags.get((contract, flag), False)
    return figures


def _role_subject(contract: ContractName, role: Hash32, account: Address) -> str:
    return f"role {role.hex()[:8]} of {checksum(account)} on {contract}"


def _request_figures(redemption: Redemption, locked_nav: int | None) -> FigureMap:
    settlement = int(redemption.settlement_at.timestamp()) if redemption.settlement_at else 0
    figures: FigureMap = {
        "owner": checksum(redemption.owner),
        "receiver": checksum(redemption.receiver),
        "shares": int(redemption.shares),
        "grossAmount": int(redemption.gross_amount),
        "requestTime": int(redemption.requested_at.timestamp()),
        "settlementTime": settlement,
        "status": redemption.on_chain_status.name,
        "channel": redemption.channel.value,
        "requiresApproval": redemption.requires_approval,
        "windowId": redemption.window_id,
    }
    return figures if locked_nav is None else figures | {"lockedNav": locked_nav}


async def read_chain_figures(contracts: FundContracts, state: RecordedState, deployment: Deployment | None = None) -> FigureMap:
    """Return the same subjects, read from the contracts at the recorded block; requests that are not recorded are included.

    A figure that the deployment cannot show is None.

    Raises:
        CallReverted, RpcUnavailable, RpcError.
    """
    vault, manager = contracts.vault, contracts.redemption_manager
    supply, locked, liability, count = await contracts.read(
        [
            vault.total_supply(),
            vault.total_locked_shares(),
            vault.total_redemption_liability(),
            manager.request_count(),
        ],
        at=state.at,
    )
    figures: FigureMap = {
        "supply": supply,
        "locked shares": locked,
        "redemption liability": liability,
        "request count": count,
    }
    reads: list[tuple[str, ContractRead[int]]] = []
    for balance in state.share_balances:
        reads.append((f"shares of {checksum(balance.holder)}", vault.balance_of(balance.holder)))
        reads.append((f"locked shares of {checksum(balance.holder)}", vault.locked_shares_of(balance.holder)))
    for contract, role, account in state.roles_seen:
        reads.append((_role_subject(contract, role, account), contracts.managed(contract).has_role(role, account)))
    batch = PresentReads(contracts, deployment)
    pending: list[tuple[str, PendingRead[Any]]] = [(subject, batch.add(read)) for subject, read in reads]
    for (contract, flag), build_read in _FLAGS.items():
        pending.append((f"{contract} {flag}", batch.add_if_present(build_read(contracts), None)))
    await contracts.run(batch, at=state.at)
    figures.update((subject, read.result) for subject, read in pending)
    requests = await contracts.try_read([manager.request(request_id) for request_id in range(1, count + 1)], at=state.at)
    for request in requests:
        if not isinstance(request, FailedRead):  # a failed read leaves the request absent on chain
            figures.update(chain_request_figures(request, with_nav=request.request_id in state.locked_navs))
    return figures


def chain_request_figures(request: RequestResult, *, with_nav: bool) -> FigureMap:
    """Return the figures of one request as the contract shows it."""
    figures: FigureMap = {
        "owner": checksum(request.owner),
        "receiver": checksum(request.receiver),
        "shares": request.shares,
        "grossAmount": request.gross_amount,
        "requestTime": request.request_time,
        "settlementTime": request.settlement_time,
        "status": enum_name_or_number(tuple(OnChainStatus), request.status),
        "channel": enum_name_or_number(tuple(RedemptionChannel), request.channel),
        "requiresApproval": request.requires_approval,
        "windowId": request.window_id,
    }
    if with_nav:
        figures["lockedNav"] = request.locked_nav
    return {f"request {request.request_id} {name}": value for name, value in figures.items()}
