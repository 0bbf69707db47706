"""Settings of the planner."""

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from paimon.domain.kernel.units import Bps
from paimon.settings.base import GCP_ENDPOINT, GCP_KEY_VERSION, SettingsGroup
from paimon.settings.sending import WalletLimitSettings


class PlannerSettings(SettingsGroup):
    """The planner: its key, which only this process has, and when it plans. Source of the defaults: docs/concepts/fund.md."""

    keystore: Path | None = Field(
        None,
        description="file with the planner's key, encrypted (Web3 Secret Storage), of mode 0600; only the planner needs it",
    )
    password_file: Path | None = Field(
        None, validate_default=True, description="file with the keystore's password, of mode 0600"
    )
    kms_key: str | None = Field(None, min_length=1, description="instead: a key in AWS KMS, by ARN, id or alias")
    kms_region: str | None = Field(None, min_length=1, validate_default=True, description="region of that key")
    kms_endpoint_url: str | None = Field(None, description="a private endpoint of AWS KMS, if any")
    gcp_key_version: str | None = Field(
        None, pattern=GCP_KEY_VERSION, description="instead: a key version in Google Cloud KMS, by its resource name"
    )
    gcp_endpoint_url: str | None = Field(
        None, pattern=GCP_ENDPOINT, description="a private endpoint of Google Cloud KMS, if any; http for a local server only"
    )
    check_seconds: float = Field(60, gt=0, description="seconds between two looks at the fund")
    refill_below_bps: Bps = Field(
        Bps(800), ge=0, le=10_000, description="basis points of gross assets; L1 below it is refilled"
    )
    smallest_plan: int = Field(1_000, ge=1, description="whole units of the vault's asset; a smaller plan is not worth it")
    limits: WalletLimitSettings = Field(
        WalletLimitSettings(plan=5_000, day=100_000),
        description="what the planner plans for the hot wallet; the signer's policy has its own limits for the planner's key",
    )

    @field_validator("password_file")
    @classmethod
    def _belongs_to_keystore(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if "keystore" in info.data and (path is None) != (info.data["keystore"] is None):
            raise ValueError("PAIMON_PLANNER__KEYSTORE and PAIMON_PLANNER__PASSWORD_FILE belong together")
        return path

    @field_validator("kms_region")
    @classmethod
    def _belongs_to_kms_key(cls, region: str | None, info: ValidationInfo) -> str | None:
        if "kms_key" in info.data and (region is None) != (info.data["kms_key"] is None):
            raise ValueError("PAIMON_PLANNER__KMS_KEY and PAIMON_PLANNER__KMS_REGION belong together")
        return region
