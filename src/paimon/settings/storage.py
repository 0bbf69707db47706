"""Settings of the object storage."""

from typing import Final

from pydantic import Field, field_validator

from paimon.settings.base import SettingsGroup

_SCHEMES: Final = ("file:///", "s3://", "gs://", "az://")


def require_store_url(url: str) -> str:
    """Return the URL if it names a place of a supported store, else raise ValueError."""
    if not url.startswith(_SCHEMES) or url in _SCHEMES:
        raise ValueError(f"must be a URL that starts with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]} and names a place")
    return url


class StorageSettings(SettingsGroup):
    """Where objects are kept that no later run may change: the day roots of the audit trail."""

    url: str = Field(
        "file:///var/lib/paimon/objects",
        description="file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://account/container/prefix; credentials come"
        " from the variables of the provider's own tools (AWS_…, GOOGLE_…, AZURE_…) or from the machine's identity",
    )
    timeout_seconds: float = Field(20.0, gt=0, le=300, description="seconds for one object, retries included")

    @field_validator("url")
    @classmethod
    def _names_a_store(cls, url: str) -> str:
        return require_store_url(url)
