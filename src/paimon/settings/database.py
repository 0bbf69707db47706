"""Settings of the database connections."""

from pydantic import Field

from paimon.settings.base import PostgresUrl, SettingsGroup


class DatabaseSettings(SettingsGroup):
    """PostgreSQL: who connects, and how many connections a process holds."""

    url: PostgresUrl = Field(description="as the application's role: postgresql+psycopg://app@host/paimon")
    owner_url: PostgresUrl | None = Field(None, description="as the owner of the tables; used by administrative commands only")
    read_url: PostgresUrl | None = Field(None, description="a replica for reads; without it, reads use `URL`")
    pool_size: int = Field(5, ge=1, le=100, description="connections that one process keeps, for each URL")
    connect_timeout_seconds: int = Field(5, ge=1, description="seconds to wait for a new connection")
