"""Settings of leases."""

from typing import Self

from pydantic import Field, model_validator

from paimon.settings.base import SettingsGroup


class LeaseSettings(SettingsGroup):
    """Leases: they let one process at a time listen, schedule, or drive a wallet."""

    ttl_seconds: float = Field(6.0, gt=0, description="seconds a lease is valid; a killed holder's successor waits so long")
    renew_seconds: float = Field(2.0, gt=0, description="seconds between renewals; less than `TTL_SECONDS`")

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        if self.renew_seconds >= self.ttl_seconds:
            raise ValueError("RENEW_SECONDS must be shorter than TTL_SECONDS, or every lease runs out before it is renewed")
        return self
