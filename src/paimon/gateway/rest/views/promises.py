"""JSON shapes of the promise ledger and of the liquidity ladder."""

from datetime import datetime
from typing import Self

from pydantic import Field

from paimon.application.fund_risk.promises import PromiseLedger
from paimon.domain.asset.tier import Tier
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.risk.promises import Funding, LadderDay, Promise
from paimon.gateway.rest.envelope import BlockStampView, Dated
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time
from paimon.gateway.rest.views.nav import SignedInt


class FundingView(ApiModel):
    """A part of a promise that one source pays."""

    tier: Tier
    token: AddressText | None = Field(description="null for the vault's cash")
    amount: BigInt

    @classmethod
    def of(cls, funding: Funding) -> Self:
        return cls(tier=funding.tier, token=funding.token, amount=funding.amount)


class PromiseView(ApiModel):
    """What one open request is owed, and what pays it by its date."""

    request_id: BigInt
    owner: AddressText
    channel: RedemptionChannel
    amount: BigInt = Field(description="gross, in the asset's smallest unit; the fee is computed at settlement")
    due_at: Time = Field(description="while it awaits approval: the earliest date that an approval now would give")
    awaits_approval: bool
    remaining_seconds: int = Field(description="until it is due, counted from the block's time; below zero when it is overdue")
    broken: bool = Field(description="a part of it cannot be paid by its date from what the fund has now")
    shortfall: BigInt
    funding: list[FundingView]

    @classmethod
    def of(cls, promise: Promise, now: datetime) -> Self:
        request = promise.request
        return cls(
            request_id=request.request_id,
            owner=request.owner,
            channel=request.channel,
            amount=request.amount,
            due_at=promise.due_at,
            awaits_approval=request.awaits_approval,
            remaining_seconds=int(promise.remaining(now).total_seconds()),
            broken=promise.is_broken,
            shortfall=promise.shortfall,
            funding=[FundingView.of(part) for part in promise.funding],
        )


class LadderDayView(ApiModel):
    """One day of the ladder; day 0 is the 24 hours from the block on."""

    day: int
    ends_at: Time
    realisable: BigInt = Field(description="what can be cash by then, net of cost")
    due: BigInt = Field(description="confirmed, on this day")
    due_if_approved: BigInt = Field(description="awaiting approval, on the earliest date")
    closing: SignedInt = Field(description="realisable less every confirmed promise so far; below zero is a shortage")
    closing_if_approved: SignedInt

    @classmethod
    def of(cls, row: LadderDay) -> Self:
        return cls(
            day=row.day,
            ends_at=row.ends_at,
            realisable=row.realisable,
            due=row.due,
            due_if_approved=row.due_if_approved,
            closing=row.closing,
            closing_if_approved=row.closing_if_approved,
        )


class PromiseLedgerView(Dated):
    """Every open request by due date, those that await approval last, and the coming days."""

    promises: list[PromiseView]
    ladder: list[LadderDayView]
    first_shortage: LadderDayView | None = Field(description="the first day on which confirmed promises exceed it")
    note: str | None = Field(description="which defaults the figures rest on")

    @classmethod
    def of(cls, ledger: PromiseLedger) -> Self:
        shortage = ledger.first_shortage
        return cls(
            as_of=BlockStampView.of(ledger.at),
            promises=[PromiseView.of(promise, ledger.at.timestamp) for promise in ledger.promises],
            ladder=[LadderDayView.of(row) for row in ledger.ladder],
            first_shortage=None if shortage is None else LadderDayView.of(shortage),
            note=ledger.note,
        )
