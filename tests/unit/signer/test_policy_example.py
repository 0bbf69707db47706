"""The example policy in `deploy/` is one that the signer takes."""

import pytest
from tests.support.paths import DEPLOY

from paimon.gateway.signer.policy import load_policy

pytestmark = pytest.mark.unit


def test_the_example_policy_is_valid(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("signer") / "policy.toml"
    path.touch(mode=0o600)
    path.write_text((DEPLOY / "signer" / "policy.example.toml").read_text(encoding="utf-8"))
    policy = load_policy(path)
    assert [key.name for key in policy.keys] == ["keeper", "approver", "hot"]
    assert [safe.name for safe in policy.safes] == ["warm", "cold"]
