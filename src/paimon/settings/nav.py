"""Settings of snapshots and NAV."""

from pydantic import Field

from paimon.domain.kernel.units import Bps
from paimon.domain.risk.nav_publication import MATERIAL_THRESHOLD
from paimon.settings.base import SettingsGroup


class NavSettings(SettingsGroup):
    """Source of the threshold: decisions, "Differences"."""

    material_threshold_bps: Bps = Field(
        MATERIAL_THRESHOLD, ge=0, description="of net assets: from here on a difference withholds NAV"
    )
    snapshot_pause_seconds: float = Field(5.0, gt=0, description="a burst of events gives one snapshot per pause")
    history_points_max: int = Field(2_500, ge=1, description="points of one answer; 90 days of hours are 2 160")
    attribution_intervals_max: int = Field(2_500, ge=1, description="snapshots one explanation may go through")
