"""Settings of snapshots and NAV."""

from pydantic import Field

from paimon.domain.kernel.units import Bps
from paimon.domain.risk.nav_publication import MATERIAL_THRESHOLD
from paimon.settings.base import SettingsGroup


class NavSettings(SettingsGroup):
    """Snapshots, NAV publication and attribution. Source of the threshold: docs/concepts/nav.md."""

    material_threshold_bps: Bps = Field(
        MATERIAL_THRESHOLD, ge=0, description="basis points of net assets from which a discrepancy withholds NAV"
    )
    snapshot_pause_seconds: float = Field(5.0, gt=0, description="seconds between snapshots after a burst of events")
    history_points_max: int = Field(2_500, ge=1, description="points of one NAV history; 90 days of hours are 2 160")
    attribution_intervals_max: int = Field(2_500, ge=1, description="intervals of snapshots that one attribution may cover")
