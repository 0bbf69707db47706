"""All models. Importing this package fills the metadata."""

from paimon.infrastructure.database.models import derived, ops
from paimon.infrastructure.database.models.base import Base, metadata

__all__ = ["Base", "derived", "metadata", "ops"]
