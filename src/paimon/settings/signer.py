"""Settings of the connection to the signer."""

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from paimon.settings.base import SettingsGroup


class SignerSettings(SettingsGroup):
    """The link to the signer, which only the worker uses: a socket on its machine, or TLS with pinned certificates.

    What the signer signs, and for whom, stands in its own policy file (`paimon signer --policy`).
    """

    socket: Path | None = Field(None, description="Unix socket of a signer on this machine; either this or URL")
    url: str | None = Field(
        None,
        pattern=r"^https://[^/]+$",
        description="https://host:port of a signer on another machine; it needs the three files below",
    )
    server_certificate: Path | None = Field(
        None, validate_default=True, description="the signer's own certificate (PEM): no other is accepted"
    )
    client_certificate: Path | None = Field(
        None, validate_default=True, description="the worker's certificate (PEM), which the signer's policy pins"
    )
    client_key: Path | None = Field(None, validate_default=True, description="the private key (PEM) of that certificate")
    timeout_seconds: float = Field(15.0, description="seconds to wait for a signature")

    @field_validator("url")
    @classmethod
    def _is_one_link(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None and info.data.get("socket") is not None:
            raise ValueError("is the other way to the signer: set either PAIMON_SIGNER__SOCKET or PAIMON_SIGNER__URL")
        return url

    @field_validator("server_certificate", "client_certificate", "client_key")
    @classmethod
    def _belongs_to_url(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if "url" in info.data and (path is None) != (info.data["url"] is None):
            raise ValueError("PAIMON_SIGNER__URL and the three certificate files belong together")
        return path
