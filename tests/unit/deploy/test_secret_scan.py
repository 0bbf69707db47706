"""The search for secrets finds each kind, and none in this repository."""

import pytest
from tests.support.paths import ROOT
from tests.support.secret_scan import KINDS, find_secrets, repository_files, scan

pytestmark = pytest.mark.unit

HEX = "9f" * 32
SAMPLES = {
    "private key": [f"-----BEGIN {kind}PRIVATE" + " KEY-----\n" + "MIIEvQ" * 12 for kind in ("", "EC ", "RSA ", "OPENSSH ")],
    "named key": [f"PRIVATE_KEY=0x{HEX}", f'"secret": "{HEX}"', f"privatekey = '{HEX}'"],
    "keystore": ['{"crypto": {"ciphertext": "' + HEX + '"'],
    "mnemonic": ['mnemonic = "' + "legal winner thank year wave sausage worth useful legal winner thank yellow" + '"'],
    "AWS key": ["AKIA" + "IOSFODNN7EXAMPLE"],
    "Google key": ["AIza" + "Sy" * 16 + "Abc", '"private_key_id": "' + "ab" * 20],
    "service token": ["ghp_" + "a1B2" * 9, "glpat-" + "abcdefghij" * 2, "xoxb-" + "1234567890-abc", "sk_live_" + "a1" * 10],
    "signed token": ["eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTY3" + "." + "c2lnbmF0dXJl" * 3],
    "password in a URL": ["postgresql://paimon:" + "kX83hs-Lw92" + "@db/paimon", "https://:" + "hunter2hunter2" + "@node"],
}


@pytest.mark.parametrize(("kind", "sample"), [(kind, sample) for kind, samples in SAMPLES.items() for sample in samples])
def test_each_kind_of_secret_is_found(kind: str, sample: str) -> None:
    assert (2, kind) in list(find_secrets(f"first line\n{sample}\n"))


def test_every_kind_has_a_sample() -> None:
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize(
    "text", [f"hash = 0x{HEX}", "redis://user:password@host:port/0", "postgresql://app:…@host", "secret = secret()"]
)
def test_hashes_and_placeholders_are_not_secrets(text: str) -> None:
    assert list(find_secrets(text)) == []


def test_this_repository_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert scan(repository_files()) == []
