"""JSON shapes of asset profiles."""

from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import Field

from paimon.domain.asset.profile import COST_BPS_MAX, DAYS_TO_CASH_MAX, AssetProfile, Liquidity, RecordedProfile
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import Bps
from paimon.gateway.rest.schema import AddressText, ApiModel, Time
from paimon.gateway.rest.views.signed_action import Reason, SignedBody


class AssetProfileBody(ApiModel):
    """What people know of an asset."""

    counterparty: str = Field(max_length=200, description="who owes it: assets of one counterparty count together")
    days_to_cash: int = Field(description=f"calendar days until it is cash, {DAYS_TO_CASH_MAX} at most")
    cost_bps: int = Field(description=f"basis points of its value that this costs, {COST_BPS_MAX} at most")
    reason: Reason = Field(min_length=1, description="why, for later readers; it is signed")

    @property
    def profile(self) -> AssetProfile:
        return AssetProfile(self.counterparty, Liquidity(self.days_to_cash, Bps(self.cost_bps)))


class SignedAssetProfileBody(AssetProfileBody, SignedBody):
    """The same, with the signature over the document of the preview."""


class AssetProfileView(ApiModel):
    """A version of an asset's profile, with who signed it and why."""

    version: int
    counterparty: str
    days_to_cash: int
    cost_bps: int
    reason: str
    changed_by: AddressText
    changed_at: Time

    @classmethod
    def of(cls, recorded: RecordedProfile) -> Self:
        return cls(
            version=recorded.version,
            counterparty=recorded.profile.counterparty,
            days_to_cash=recorded.profile.liquidity.days_to_cash,
            cost_bps=recorded.profile.liquidity.cost,
            reason=recorded.reason,
            changed_by=recorded.changed_by,
            changed_at=recorded.changed_at,
        )


class ProfiledAssetView(ApiModel):
    """An asset of the fund; without a profile it counts by the default of its tier."""

    token: AddressText
    profile: AssetProfileView | None


class ProfiledAssetsView(ApiModel):
    """Every asset that the fund ever had, in the order in which it came."""

    items: list[ProfiledAssetView]

    @classmethod
    def of(cls, profiles: Mapping[Address, RecordedProfile | None]) -> Self:
        items = [
            ProfiledAssetView(token=token, profile=None if recorded is None else AssetProfileView.of(recorded))
            for token, recorded in profiles.items()
        ]
        return cls(items=items)


class AssetHistoryView(ApiModel):
    """An asset with the newest 200 versions of its profile, latest first."""

    token: AddressText
    profiles: list[AssetProfileView]

    @classmethod
    def of(cls, token: Address, history: Sequence[RecordedProfile]) -> Self:
        return cls(token=token, profiles=[AssetProfileView.of(recorded) for recorded in history])
