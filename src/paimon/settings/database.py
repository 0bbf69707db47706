"""The services this house runs on, how often it does what, how long it keeps what, and when it complains."""

from pydantic import Field

from paimon.settings.base import PostgresUrl, SettingsGroup


class DatabaseSettings(SettingsGroup):
    url: PostgresUrl = Field(description="as the application's role: postgresql+psycopg://app@host/paimon")
    owner_url: PostgresUrl | None = Field(None, description="as the owner of the tables; only `paimon db` uses it")
    read_url: PostgresUrl | None = Field(None, description="a replica for reads; the same as url when absent")
    pool_size: int = Field(5, ge=1, le=100)
    connect_timeout_seconds: int = Field(5, ge=1)
