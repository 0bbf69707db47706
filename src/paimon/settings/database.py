"""Settings of the database connections."""

from pydantic import Field

from paimon.settings.base import PostgresUrl, SettingsGroup


class DatabaseSettings(SettingsGroup):
    """PostgreSQL: who connects, and how many connections a process holds."""

    url: PostgresUrl = Field(description="as the role of this process: postgresql+psycopg://paimon_api@host/paimon")
    owner_url: PostgresUrl | None = Field(None, description="as the owner of the tables; used by administrative commands only")
    retention_url: PostgresUrl | None = Field(
        None, description="as the role `retention`; the workers' retention job needs it, and removes nothing without it"
    )
    role_prefix: str = Field(
        "paimon_",
        pattern=r"^[a-z_][a-z0-9_]{0,31}$",
        description="what the roles' names on the server begin with: `paimon_` makes `paimon_api`",
    )
    read_url: PostgresUrl | None = Field(
        None, description="a replica for reads, as the role of this process; without it, reads use `URL`"
    )
    pool_size: int = Field(5, ge=1, le=100, description="connections that one process keeps, for each URL")
    connect_timeout_seconds: int = Field(5, ge=1, description="seconds to wait for a new connection")
