"""`paimon demo keystore`: write an account's key as the commands with `--keystore` take it."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from paimon.infrastructure.keys.keystore import load_key
from paimon_devkit.stack.accounts import DemoAccounts
from paimon_devkit.stack.demo_command import app

pytestmark = pytest.mark.unit


def output_of(data: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["--data", str(data), "keystore", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_keystore_is_written_once_encrypted_and_private(tmp_path: Path) -> None:
    accounts = DemoAccounts.load_or_create(tmp_path / "accounts")
    keystore, password = tmp_path / "vera.json", tmp_path / "vera.json.password"
    output = output_of(tmp_path, "vera", str(keystore))
    assert f"for this demo only: --keystore {keystore} --password-file {password}" in output
    assert load_key(keystore, password).address.hex() == accounts.address("vera")[2:].lower()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (keystore, password)] == [0o600, 0o600]
    before = keystore.read_bytes()
    assert "exists already: name another file" in output_of(tmp_path, "viktor", str(keystore), code=2)
    assert keystore.read_bytes() == before
    assert "no account is called 'nina'" in output_of(tmp_path, "nina", str(tmp_path / "nina.json"), code=2)
    assert not (tmp_path / "nina.json.password").exists()


def test_keystore_needs_the_data_folder_of_a_demo(tmp_path: Path) -> None:
    assert "no demo has run in" in output_of(tmp_path / "nowhere", "vera", str(tmp_path / "vera.json"), code=2)
