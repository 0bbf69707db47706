"""Tests of settings: complete, or refused with one line for each variable, and no secret shown."""

from pathlib import Path

import pytest

from paimon.composition import require_signer_link
from paimon.domain.chain.finality import FinalityRule, FinalityTag
from paimon.domain.kernel.chain import checksum
from paimon.settings import SettingsError, load_settings

pytestmark = pytest.mark.unit

ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
SECRET = "hunter2-hunter2-hunter2-hunter2-hunter2"
COMPLETE = {
    "PAIMON_DATABASE__URL": f"postgresql+psycopg://app:{SECRET}@127.0.0.1/paimon",
    "PAIMON_REDIS__URL": f"redis://:{SECRET}@127.0.0.1/0",
    "PAIMON_CHAIN__CHAIN_ID": "31337",
    "PAIMON_CHAIN__RPC_URL": f"http://node.example/{SECRET}",
    "PAIMON_FUND__VAULT": ADDRESS,
    "PAIMON_FUND__REDEMPTION_MANAGER": ADDRESS,
    "PAIMON_FUND__ASSET_CONTROLLER": ADDRESS,
    "PAIMON_FUND__START_BLOCK": "1",
    "PAIMON_SENDING__KEEPER": ADDRESS,
    "PAIMON_SENDING__APPROVER": ADDRESS,
    "PAIMON_AUTH__TOKEN_SECRET": SECRET,
    "PAIMON_AUTH__PERSONAL_DATA_SECRET": SECRET,
    "PAIMON_AUTH__DOMAIN": "paimon.example",
    "PAIMON_AUTH__URI": "https://paimon.example",
    "PAIMON_REDIS__INTEGRITY_KEY": SECRET[::-1],
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set a complete environment, for a test to change."""
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal(env_file: Path | None = None) -> list[str]:
    """Return the lines about single variables."""
    with pytest.raises(SettingsError) as refused:
        load_settings(env_file)
    assert SECRET not in str(refused.value)
    return str(refused.value).splitlines()[1:]


def test_complete_environment_is_read(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.chain.chain_id == 31337
    assert checksum(settings.fund.vault) == ADDRESS
    assert settings.auth.token_secret.get_secret_value() == SECRET


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_missing_variable_gets_one_line_with_its_name(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    (line,) = refusal()
    assert line == f"  {name}: Field required"


def test_every_required_variable_is_named_when_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COMPLETE:
        monkeypatch.delenv(name, raising=False)
    assert sorted(refusal()) == sorted(f"  {name}: Field required" for name in COMPLETE)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PAIMON_CHAIN__CHAIN_ID", "bsc", "valid integer"),
        ("PAIMON_FUND__VAULT", "0x12", "0x followed by 40 hexadecimal digits"),
        ("PAIMON_FUND__VAULT", ADDRESS.replace("a", "A", 1), "checksum"),
        ("PAIMON_FUND__START_BLOCK", "0", "greater than or equal to 1"),
        ("PAIMON_AUTH__TOKEN_SECRET", SECRET[:20], "at least 32"),
        ("PAIMON_REDIS__INTEGRITY_KEY", SECRET[:31], "at least 32"),
        ("PAIMON_REDIS__TLS_CA_FILE", "/etc/ca.pem", "rediss://"),
        ("PAIMON_API__PORT", "70000", "65535"),
        ("PAIMON_LEASE__TTL_SECONDS", "-1", "greater than 0"),
        ("PAIMON_LOG__LEVEL", "loud", "debug"),
        ("PAIMON_SENDING__GAS_FEE_TYPE", "cheap", "eip1559"),
    ],
)
def test_wrong_variable_gets_one_line_with_the_right_form(
    environment: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    environment.setenv(name, value)
    (line,) = refusal()
    assert line.startswith(f"  {name}: ")
    assert words in line
    assert SECRET[:20] not in line


def test_lease_renewal_must_be_shorter_than_ttl(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PAIMON_LEASE__RENEW_SECONDS", "6")
    (line,) = refusal()
    assert line.startswith("  PAIMON_LEASE: ")
    assert "RENEW_SECONDS must be shorter than TTL_SECONDS" in line


def test_warm_and_cold_safe_must_differ(environment: pytest.MonkeyPatch) -> None:
    for name in ("WARM", "COLD"):
        environment.setenv(f"PAIMON_SENDING__{name}", ADDRESS)
    (line,) = refusal()
    assert "WARM and COLD must be two Safes" in line


def test_all_wrong_variables_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PAIMON_CHAIN__CHAIN_ID", "bsc")
    environment.delenv("PAIMON_REDIS__URL")
    assert {line.split(":")[0].strip() for line in refusal()} == {"PAIMON_CHAIN__CHAIN_ID", "PAIMON_REDIS__URL"}


@pytest.mark.parametrize("name", ["PAIMON_SENDING__MAX_FEE", "PAIMON_CHAIN__RPC_URLS", "PAIMON_SENDING__HOT_LIMITS__PLANS"])
def test_mistyped_variable_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "1")
    assert f"  {name}: no such setting" in refusal()


def test_value_in_place_of_group_is_refused_with_its_name(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PAIMON_DATABASE", COMPLETE["PAIMON_DATABASE__URL"])
    (line,) = refusal()
    assert '"database"' in line


def test_unknown_variable_in_file_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env_file = tmp_path / "paimon.env"
    env_file.write_text("PAIMON_TYPO=1\nPAIMON_API__PORT=8080\n")
    assert refusal(env_file) == ["  PAIMON_TYPO: no such setting"]


def test_environment_wins_over_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env_file = tmp_path / "paimon.env"
    env_file.write_text("PAIMON_API__PORT=8080\nPAIMON_API__HOST=0.0.0.0\n")
    environment.setenv("PAIMON_API__PORT", "9090")
    settings = load_settings(env_file)
    assert (settings.api.port, settings.api.host) == (9090, "0.0.0.0")


def test_missing_settings_file_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("PAIMON_ENV_FILE", str(tmp_path / "nowhere.env"))
    with pytest.raises(SettingsError, match=r"nowhere\.env does not exist"):
        load_settings()


def test_settings_show_no_secret(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown


def test_settings_do_not_change_once_read(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.log = settings.log  # type: ignore[misc]


def test_extra_endpoints_are_read_with_their_uses(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PAIMON_CHAIN__RPC_USES", "read")
    environment.setenv(
        "PAIMON_CHAIN__EXTRA_RPC_URLS", f" https://a.example/{SECRET}  read,archive=https://b.example/?key={SECRET}= "
    )
    endpoints = load_settings().chain.endpoints
    assert [(endpoint.host, sorted(endpoint.uses)) for endpoint in endpoints] == [
        ("node.example", ["read"]),
        ("a.example", ["read", "write"]),
        ("b.example", ["archive", "read"]),
    ]
    assert endpoints[2].url.get_secret_value() == f"https://b.example/?key={SECRET}="
    assert SECRET not in repr(load_settings().chain)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "EXTRA_RPC_URLS",
            f"https://a.example/{SECRET} wss://b.example/{SECRET}",
            "entry 2 must be a URL that starts with https://",
        ),
        ("EXTRA_RPC_URLS", f"send=https://a.example/{SECRET}", "entry 1 must be"),
        ("RPC_USES", "read,send", "should match pattern"),
        ("EXTRA_RPC_URLS", f"http://me@node.example/other-{SECRET}", "name node.example twice"),
        ("RPC_USES", "read", "no endpoint is for write"),
    ],
)
def test_unusable_endpoints_are_refused_without_showing_keys(
    environment: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    environment.setenv(f"PAIMON_CHAIN__{name}", value)
    (line,) = refusal()
    assert line.startswith("  PAIMON_CHAIN")
    assert words in line


def test_finality_rule_is_set_by_chain_id(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PAIMON_CHAIN__FINALITY__56__DEPTH", "400")
    environment.setenv("PAIMON_CHAIN__FINALITY__8453__TAG", "finalized")
    rules = {chain: finality.rule for chain, finality in load_settings().chain.finality.items()}
    assert rules == {56: FinalityRule(depth=400), 8453: FinalityRule(FinalityTag.FINALIZED)}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ALLOW_WEAKER_RULE": "true"}, "a rule needs a TAG, a DEPTH or a TURN_LENGTH"),
        ({"TAG": "safe", "TURN_LENGTH": "16"}, "cannot be combined with another tag"),
        ({"TAG": "latest"}, "'finalized' or 'safe'"),
        ({"DEPTH": "0"}, "greater than or equal to 1"),
        ({"DEPHT": "64"}, "no such setting"),
    ],
)
def test_unusable_finality_rule_is_refused_by_name(environment: pytest.MonkeyPatch, values: dict[str, str], said: str) -> None:
    for name, value in values.items():
        environment.setenv(f"PAIMON_CHAIN__FINALITY__1__{name}", value)
    lines = refusal()
    assert any(line.startswith("  PAIMON_CHAIN__FINALITY__1") and said in line for line in lines), lines


_FILES = {f"PAIMON_SIGNER__{name}": "/file" for name in ("SERVER_CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")}


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({}, []),
        ({"PAIMON_SIGNER__SOCKET": "/run/signer.sock"}, []),
        ({"PAIMON_SIGNER__URL": "https://signer:9443", **_FILES}, []),
        ({"PAIMON_SIGNER__URL": "https://signer:9443"}, list(_FILES)),
        (_FILES, list(_FILES)),
        ({"PAIMON_SIGNER__SOCKET": "/s", "PAIMON_SIGNER__URL": "https://signer:9443", **_FILES}, ["PAIMON_SIGNER__URL"]),
        ({"PAIMON_SIGNER__URL": "http://signer:9443", **_FILES}, ["PAIMON_SIGNER__URL"]),
    ],
)
def test_link_to_the_signer_is_a_socket_or_a_url_with_its_files(
    environment: pytest.MonkeyPatch, variables: dict[str, str], wrong: list[str]
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    if wrong:
        assert sorted(line.strip().partition(":")[0] for line in refusal()) == sorted(wrong)
        return
    settings = load_settings()
    if variables:
        require_signer_link(settings)
    else:
        with pytest.raises(SettingsError, match="PAIMON_SIGNER__SOCKET or PAIMON_SIGNER__URL"):
            require_signer_link(settings)
