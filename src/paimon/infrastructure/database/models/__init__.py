"""All tables, so that one import fills the metadata."""

from paimon.infrastructure.database.models import (
    derived,
    desk,
    multisig,
    nav,
    operating,
    owned,
    plans,
    remedy,
    risk,
    series,
    unfinal,
)
from paimon.infrastructure.database.models.base import Base, metadata

__all__ = [
    "Base",
    "derived",
    "desk",
    "metadata",
    "multisig",
    "nav",
    "operating",
    "owned",
    "plans",
    "remedy",
    "risk",
    "series",
    "unfinal",
]
