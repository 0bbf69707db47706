"""The planner signs with a key in a file, in AWS KMS or in Google Cloud KMS, and says what is wrong with any other."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from eth_account import Account
from tests.support.gcp_kms import serving_gcp_kms
from tests.support.kms import REGION, serving_kms

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.gateway.cli.planner import open_planner
from paimon.infrastructure.keys.keystore import create_keystore
from paimon.infrastructure.keys.signatures import parse_signature, recover_typed
from paimon.settings import PlannerSettings, SettingsError

pytestmark = pytest.mark.integration

DOCUMENT: Final[dict[str, Any]] = {
    "types": {"EIP712Domain": [{"name": "name", "type": "string"}], "Note": [{"name": "text", "type": "string"}]},
    "primaryType": "Note",
    "domain": {"name": "a test"},
    "message": {"text": "a plan"},
}
TERMS: Final = SignatureTerms(Hash32(b"\x01" * 32), datetime.now(UTC) + timedelta(minutes=5))


async def require_signs(options: PlannerSettings) -> None:
    planner = await open_planner(options)
    signed = await planner.sign(DOCUMENT, TERMS)
    assert recover_typed(DOCUMENT, parse_signature(signed.signature)) == planner.user.address
    assert signed.terms == TERMS


def written_key(folder: Path) -> dict[str, Path]:
    keystore, password = folder / "planner.json", folder / "planner.password"
    password.write_text("a password")
    password.chmod(0o600)
    create_keystore(keystore, password, bytes(Account.create().key), scrypt_cost=2)
    return {"keystore": keystore, "password_file": password}


async def test_planner_signs_with_a_key_of_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await require_signs(PlannerSettings(**written_key(tmp_path)))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing only")
    with serving_kms() as aws:
        await require_signs(PlannerSettings(kms_key=aws.create_key(), kms_region=REGION, kms_endpoint_url=aws.url))
    async with serving_gcp_kms() as google:
        await require_signs(PlannerSettings(gcp_key_version=google.create_key(), gcp_endpoint_url=google.url))


async def test_planner_without_exactly_one_usable_key_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"set PAIMON_PLANNER__KEYSTORE .* or PAIMON_PLANNER__KMS_KEY .*GCP_KEY_VERSION"):
        await open_planner(PlannerSettings())
    files = written_key(tmp_path)
    with pytest.raises(SettingsError, match="and not several"):
        await open_planner(PlannerSettings(**files, kms_key="alias/planner", kms_region=REGION))
    files["password_file"].write_text("another password")
    with pytest.raises(SettingsError, match=r"the planner's key: keystore .* does not open with the password"):
        await open_planner(PlannerSettings(**files))
    async with serving_gcp_kms() as google:
        version = google.create_key().replace("cryptoKeyVersions/1", "cryptoKeyVersions/9")
        with pytest.raises(SettingsError, match="the planner's key: Google Cloud KMS refuses key"):
            await open_planner(PlannerSettings(gcp_key_version=version, gcp_endpoint_url=google.url))


def test_key_in_kms_needs_its_region() -> None:
    with pytest.raises(ValueError, match="PAIMON_PLANNER__KMS_KEY and PAIMON_PLANNER__KMS_REGION belong together"):
        PlannerSettings(kms_key="alias/planner")
