"""Settings of the Redis connection."""

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from paimon.settings.base import OwnSecret, RedisUrl, SettingsGroup


def _is_tls(url: SecretStr) -> bool:
    return url.get_secret_value().startswith("rediss://")


class RedisSettings(SettingsGroup):
    """Redis or Valkey: broker, cache and live messages. Nothing recorded is lost with it."""

    url: RedisUrl = Field(description="redis://user:password@host:port/0, or rediss:// for TLS")
    integrity_key: OwnSecret = Field(
        min_length=32,
        description="key that authenticates entries, messages and queue items; the same in every process, and no other secret",
    )
    tls_ca_file: Path | None = Field(None, description="CA certificates (PEM) of the server; the system's own unless set")
    tls_cert_file: Path | None = Field(None, description="this process's certificate (PEM), where the server asks for one")
    tls_key_file: Path | None = Field(None, validate_default=True, description="the certificate's private key (PEM)")

    @field_validator("tls_ca_file", "tls_cert_file", "tls_key_file")
    @classmethod
    def _require_tls(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        url: SecretStr | None = info.data.get("url")
        if path is not None and url is not None and not _is_tls(url):
            raise ValueError("needs PAIMON_REDIS__URL to start with rediss://")
        if info.field_name == "tls_key_file" and (path is None) != (info.data.get("tls_cert_file") is None):
            raise ValueError("belongs to PAIMON_REDIS__TLS_CERT_FILE: set both or none")
        return path

    def tls_options(self) -> dict[str, Any]:
        """Return the client's TLS options: the server's certificate and host name are always checked. Empty without TLS."""
        if not _is_tls(self.url):
            return {}
        options = {"ssl_ca_certs": self.tls_ca_file, "ssl_certfile": self.tls_cert_file, "ssl_keyfile": self.tls_key_file}
        given = {name: str(path) for name, path in options.items() if path is not None}
        return given | {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
