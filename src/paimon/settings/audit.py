"""Settings of the audit trail."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class AuditSettings(SettingsGroup):
    """The audit trail: how soon its entries are sealed, and its day roots stored."""

    seal_seconds: float = Field(0.5, gt=0, le=60, description="seconds between two looks for entries to seal")
    seal_entries_max: int = Field(2_000, ge=1, le=100_000, description="entries that one transaction seals")
    day_root_seconds: float = Field(
        60.0, gt=0, le=3_600, description="seconds between two looks for a day that has ended and whose root is not stored"
    )
