"""The example policy in `deploy/` is one that the signer takes, once its placeholders are replaced."""

import re
from pathlib import Path

import pytest
from tests.support.paths import DEPLOY, ROOT

from paimon.gateway.signer.policy import PolicyError, load_policy

pytestmark = pytest.mark.unit


EXAMPLE = (DEPLOY / "signer" / "policy.example.toml").read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.touch(mode=0o600)
    return path


def test_placeholders_of_the_example_are_refused(path: Path) -> None:
    path.write_text(EXAMPLE)
    with pytest.raises(PolicyError) as refused:
        load_policy(path)
    lines = str(refused.value).splitlines()[1:]
    assert lines[0].startswith("  contracts.vault: 0x0000000000000000000000000000000000000001 is reserved")
    assert len(lines) == EXAMPLE.count('"0x0000'), "one line for each placeholder, and none that says more is wrong"
    assert all(line.endswith("name your own") for line in lines)


def test_the_example_policy_is_valid(path: Path) -> None:
    path.write_text(re.sub(r"0x0{39}(\d)", lambda match: "0x" + match[1] * 40, EXAMPLE))
    policy = load_policy(path)
    assert [key.name for key in policy.keys] == ["keeper", "approver", "hot"]
    assert [safe.name for safe in policy.safes] == ["warm", "cold"]
    assert f"PAIMON_SIGNER__SOCKET={policy.socket}\n" in (ROOT / ".env.example").read_text(encoding="utf-8")
