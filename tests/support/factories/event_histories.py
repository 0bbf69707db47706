"""Random histories of the fund's events: every event can follow the events before it.

The generator keeps balances and open requests of its own. A history is therefore valid by construction, and its sums are
known without the code under test.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st
from tests.support.factories.strategies import address, stamp

from paimon.domain.events import (
    EmergencyModeChanged,
    FundEvent,
    Paused,
    RedemptionApproved,
    RedemptionCancelled,
    RedemptionRejected,
    RedemptionRequested,
    RedemptionSettled,
    RoleGranted,
    RoleRevoked,
    SharesBurned,
    SharesLocked,
    SharesUnlocked,
    Transfer,
    Unpaused,
)
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, ContractName, OnChainRole
from paimon.domain.kernel.units import RawAmount

VAULT: Final = address(0xFA)
HOLDERS: Final = tuple(address(number) for number in (1, 2, 3))
VAULT_CONTRACT, MANAGER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event with its contract and block."""

    event: FundEvent
    contract: ContractName
    at: BlockStamp


@dataclass(slots=True)
class _Request:
    owner: Address
    shares: int
    awaits_approval: bool


@dataclass(slots=True)
class EventHistory:
    """The events so far, and the state that they leave."""

    events: list[HistoryEvent] = field(default_factory=list)
    balances: dict[Address, int] = field(default_factory=dict)
    minted: int = 0
    burned: int = 0
    open: dict[int, _Request] = field(default_factory=dict)
    requests: int = 0

    def emit(self, contract: ContractName, *events: FundEvent, in_new_block: bool) -> None:
        number = self.events[-1].at.number if self.events else 1
        self.events += [HistoryEvent(event, contract, stamp(number + in_new_block)) for event in events]

    @property
    def holders_with_shares(self) -> list[Address]:
        return [holder for holder, shares in self.balances.items() if shares]


@st.composite
def histories(draw: st.DrawFn, *, steps_max: int = 25) -> EventHistory:
    history = EventHistory()
    for _ in range(draw(st.integers(0, steps_max))):
        step = draw(st.sampled_from(_STEPS))
        step(history, draw)
    return history


def _amount(draw: st.DrawFn, most: int) -> RawAmount:
    return RawAmount(draw(st.integers(1, most)))


def _mint(history: EventHistory, draw: st.DrawFn) -> None:
    holder, shares = draw(st.sampled_from(HOLDERS)), _amount(draw, 10**24)
    history.balances[holder] = history.balances.get(holder, 0) + shares
    history.minted += shares
    history.emit(VAULT_CONTRACT, Transfer(ZERO_ADDRESS, holder, shares), in_new_block=draw(st.booleans()))


def _transfer(history: EventHistory, draw: st.DrawFn) -> None:
    if not history.holders_with_shares:
        return
    sender, receiver = draw(st.sampled_from(history.holders_with_shares)), draw(st.sampled_from(HOLDERS))
    shares = _amount(draw, history.balances[sender])
    history.balances[sender] -= shares
    history.balances[receiver] = history.balances.get(receiver, 0) + shares
    history.emit(VAULT_CONTRACT, Transfer(sender, receiver, shares), in_new_block=draw(st.booleans()))


def _request(history: EventHistory, draw: st.DrawFn) -> None:
    if not history.holders_with_shares:
        return
    owner, awaits = draw(st.sampled_from(history.holders_with_shares)), draw(st.booleans())
    shares = _amount(draw, history.balances[owner])
    history.requests += 1
    request_id = history.requests
    history.open[request_id] = _Request(owner, shares, awaits)
    history.balances[owner] -= shares
    history.emit(VAULT_CONTRACT, SharesLocked(owner, shares), Transfer(owner, VAULT, shares), in_new_block=True)
    event = RedemptionRequested(request_id, owner, owner, shares, shares, RawAmount(0), 0, awaits, 0 if awaits else 9, 0)
    history.emit(MANAGER, event, in_new_block=False)


def _pick(history: EventHistory, draw: st.DrawFn, matches: Callable[[_Request], bool]) -> tuple[int, _Request] | None:
    ids = [request_id for request_id, request in history.open.items() if matches(request)]
    if not ids:
        return None
    request_id = draw(st.sampled_from(ids))
    return request_id, history.open[request_id]


def _approve(history: EventHistory, draw: st.DrawFn) -> None:
    if picked := _pick(history, draw, lambda request: request.awaits_approval):
        picked[1].awaits_approval = False
        history.emit(MANAGER, RedemptionApproved(picked[0], address(9), 99), in_new_block=True)


def _return_shares(history: EventHistory, request_id: int, event: FundEvent) -> None:
    request = history.open.pop(request_id)
    shares = RawAmount(request.shares)
    history.balances[request.owner] += shares
    history.emit(
        VAULT_CONTRACT, SharesUnlocked(request.owner, shares), Transfer(VAULT, request.owner, shares), in_new_block=True
    )
    history.emit(MANAGER, event, in_new_block=False)


def _reject(history: EventHistory, draw: st.DrawFn) -> None:
    if picked := _pick(history, draw, lambda request: request.awaits_approval):
        _return_shares(history, picked[0], RedemptionRejected(picked[0], address(9), "no"))


def _cancel(history: EventHistory, draw: st.DrawFn) -> None:
    if picked := _pick(history, draw, lambda _request: True):
        _return_shares(history, picked[0], RedemptionCancelled(picked[0], picked[1].owner))


def _settle(history: EventHistory, draw: st.DrawFn) -> None:
    if picked := _pick(history, draw, lambda request: not request.awaits_approval):
        request_id, request = picked
        shares = RawAmount(history.open.pop(request_id).shares)
        history.burned += shares
        history.emit(
            VAULT_CONTRACT, SharesBurned(request.owner, shares), Transfer(VAULT, ZERO_ADDRESS, shares), in_new_block=True
        )
        settled = RedemptionSettled(request_id, request.owner, request.owner, shares, RawAmount(0), shares, 0)
        history.emit(MANAGER, settled, in_new_block=False)


def _switch(history: EventHistory, draw: st.DrawFn) -> None:
    role, account = draw(st.sampled_from(OnChainRole)).id, draw(st.sampled_from(HOLDERS))
    contract = draw(st.sampled_from(ContractName))
    event = draw(
        st.sampled_from(
            [
                RoleGranted(role, account, VAULT),
                RoleRevoked(role, account, VAULT),
                Paused(account),
                Unpaused(account),
            ]
        )
    )
    history.emit(contract, event, in_new_block=draw(st.booleans()))


def _emergency(history: EventHistory, draw: st.DrawFn) -> None:
    history.emit(VAULT_CONTRACT, EmergencyModeChanged(draw(st.booleans())), in_new_block=True)


_STEPS: Final = (_mint, _transfer, _request, _request, _approve, _reject, _cancel, _settle, _settle, _switch, _emergency)
