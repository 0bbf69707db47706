"""The key of one of the demo's people, as the desk's commands take it."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from paimon.infrastructure.keys.keystore import load_key
from paimon_devkit.stack.accounts import DemoAccounts
from paimon_devkit.stack.demo_command import app

pytestmark = pytest.mark.unit


def said(data: Path, *arguments: str, code: int = 0) -> str:
    ran = CliRunner().invoke(app, ["--data", str(data), "keystore", *arguments], catch_exceptions=False)
    assert ran.exit_code == code, ran.output
    return " ".join(ran.output.split())


def test_a_persons_key_is_written_once_encrypted_and_for_nobody_else(tmp_path: Path) -> None:
    accounts = DemoAccounts.load_or_create(tmp_path / "accounts")
    keystore, password = tmp_path / "vera.json", tmp_path / "vera.json.password"
    told = said(tmp_path, "vera", str(keystore))
    assert f"for this demo only: --keystore {keystore} --password-file {password}" in told
    assert load_key(keystore, password).address.hex() == accounts.address("vera")[2:].lower()
    assert [stat.S_IMODE(each.stat().st_mode) for each in (keystore, password)] == [0o600, 0o600]
    before = keystore.read_bytes()
    assert "exists already: name another file" in said(tmp_path, "viktor", str(keystore), code=2)
    assert keystore.read_bytes() == before
    assert "nobody is called 'nina' here" in said(tmp_path, "nina", str(tmp_path / "nina.json"), code=2)
    assert not (tmp_path / "nina.json.password").exists()


def test_without_a_demo_there_are_no_people(tmp_path: Path) -> None:
    assert "no demo has run in" in said(tmp_path / "nowhere", "vera", str(tmp_path / "vera.json"), code=2)
