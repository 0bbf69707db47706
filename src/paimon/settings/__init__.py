"""Settings of the system, read from environment variables (`PAIMON_…`, nested by `__`) into one typed object.

`PAIMON_ENV_FILE` (or `paimon --env-file`) names a file of the same variables; the environment wins over the file.
Secrets are `SecretStr`, so that neither a log nor a traceback shows them. A secret may be named instead of written: see
`secret_stores`.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from paimon.errors import StartupError
from paimon.settings.api import ApiSettings
from paimon.settings.approval import ApprovalSettings
from paimon.settings.audit import AuditSettings
from paimon.settings.auth import AuthSettings
from paimon.settings.base import GCP_ENDPOINT, GCP_KEY_VERSION, ChecksumAddress, SettingsError, SettingsGroup
from paimon.settings.chain import ChainSettings, FinalitySettings
from paimon.settings.console import DEMO_CHAIN_ID, ConsoleSettings
from paimon.settings.database import DatabaseSettings
from paimon.settings.fund import FundSettings
from paimon.settings.health import HealthSettings
from paimon.settings.lease import LeaseSettings
from paimon.settings.log import LogSettings
from paimon.settings.metrics import MetricsSettings
from paimon.settings.nav import NavSettings
from paimon.settings.notifications import NotificationsSettings
from paimon.settings.planner import PlannerSettings
from paimon.settings.prices import PricesSettings
from paimon.settings.queue import QueueSettings
from paimon.settings.rebalance import RebalanceSettings
from paimon.settings.redemption import RedemptionSettings
from paimon.settings.redis import RedisSettings
from paimon.settings.reports import ReportsSettings
from paimon.settings.retention import RetentionSettings
from paimon.settings.risk import RiskSettings
from paimon.settings.schedule import ScheduleSettings
from paimon.settings.secret_stores import forget_secrets
from paimon.settings.sending import LowBalanceSettings, SendingSettings, WalletLimitSettings
from paimon.settings.signer import SignerSettings
from paimon.settings.storage import StorageSettings

__all__ = [
    "GCP_ENDPOINT",
    "GCP_KEY_VERSION",
    "ApiSettings",
    "ApprovalSettings",
    "AuditSettings",
    "AuthSettings",
    "ChainSettings",
    "ChecksumAddress",
    "ConsoleSettings",
    "DatabaseSettings",
    "FinalitySettings",
    "FundSettings",
    "HealthSettings",
    "LeaseSettings",
    "LogSettings",
    "LowBalanceSettings",
    "MetricsSettings",
    "NavSettings",
    "NotificationsSettings",
    "PlannerSettings",
    "PricesSettings",
    "QueueSettings",
    "RebalanceSettings",
    "RedemptionSettings",
    "RedisSettings",
    "ReportsSettings",
    "RetentionSettings",
    "RiskSettings",
    "ScheduleSettings",
    "SendingSettings",
    "Settings",
    "SettingsError",
    "SettingsGroup",
    "SignerSettings",
    "StartupError",
    "StorageSettings",
    "WalletLimitSettings",
    "env_file_from",
    "load_settings",
]


class Settings(BaseSettings):
    """All settings, one group a field. They do not change once read."""

    model_config = SettingsConfigDict(
        env_prefix="PAIMON_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    database: DatabaseSettings
    redis: RedisSettings
    chain: ChainSettings
    fund: FundSettings
    sending: SendingSettings
    auth: AuthSettings
    signer: SignerSettings = SignerSettings()
    approval: ApprovalSettings = ApprovalSettings()
    rebalance: RebalanceSettings = RebalanceSettings()
    redemption: RedemptionSettings = RedemptionSettings()
    audit: AuditSettings = AuditSettings()
    storage: StorageSettings = StorageSettings()
    api: ApiSettings = ApiSettings()
    console: ConsoleSettings = ConsoleSettings()
    planner: PlannerSettings = PlannerSettings()
    queue: QueueSettings = QueueSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    nav: NavSettings = NavSettings()
    prices: PricesSettings = PricesSettings()
    risk: RiskSettings = RiskSettings()
    notifications: NotificationsSettings = NotificationsSettings()
    reports: ReportsSettings = ReportsSettings()
    retention: RetentionSettings = RetentionSettings()
    lease: LeaseSettings = LeaseSettings()
    health: HealthSettings = HealthSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _shows_keys_on_the_demo_chain_only(self) -> Self:
        if self.console.demo_accounts is not None and self.chain.chain_id != DEMO_CHAIN_ID:
            raise ValueError(
                f"PAIMON_CONSOLE__DEMO_ACCOUNTS is for the demo's chain {DEMO_CHAIN_ID} only, and this is chain"
                f" {self.chain.chain_id}: unset it"
            )
        return self


def env_file_from(environment: Mapping[str, str]) -> Path | None:
    """Return the settings file that `PAIMON_ENV_FILE` names, if any."""
    return Path(path) if (path := environment.get("PAIMON_ENV_FILE")) else None


def load_settings(env_file: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings from the environment and a file.

    Raises:
        SettingsError: the message has one line for each wrong or missing variable.
    """
    env_file = env_file or env_file_from(os.environ)
    if env_file is not None and not env_file.is_file():
        raise SettingsError(f"settings file {env_file} does not exist (PAIMON_ENV_FILE or --env-file)")
    try:
        return Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        problems = error.errors(include_input=False)
        lines = [line for problem in problems for line in _error_lines(problem["type"], problem["loc"], problem["msg"])]
    except UnreadableSetting as error:
        lines = [f"  {error}: set the single variables of a group, PAIMON_GROUP__NAME"]
    finally:
        forget_secrets()
    raise SettingsError("settings are incomplete or wrong:\n" + "\n".join(lines))


def _error_lines(kind: str, location: tuple[int | str, ...], message: str) -> Iterator[str]:
    """Yield one line for each variable to set or to correct."""
    message = message.removeprefix("Value error, ")
    names = [str(part).upper() for part in location]
    if kind == "missing" and len(names) == 1:  # a whole group is missing: name its required variables
        group = Settings.model_fields[str(location[0])].annotation
        if isinstance(group, type) and issubclass(group, SettingsGroup):
            for name, field in group.model_fields.items():
                if field.is_required():
                    yield f"  PAIMON_{names[0]}__{name.upper()}: {message}"
        return
    if kind == "extra_forbidden":
        message = "no such setting"
        if len(names) == 1:  # a variable of a file has its full name
            yield f"  {names[0]}: {message}"
            return
    yield f"  PAIMON_{'__'.join(names)}: {message}"
