"""Tests that the reference page and the example file match the settings."""

import re
from pathlib import Path

import pytest
from tests.support.paths import DOCS, ROOT

from paimon.settings import SettingsError, load_settings
from paimon.settings.reference import settings_reference

pytestmark = pytest.mark.unit


def test_reference_page_matches_code() -> None:
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_reference(), "run `make reference`"


def test_every_setting_has_a_meaning() -> None:
    rows = re.findall(r"^\| `(PAIMON_\w+)` \| (.*?) \| (.*?) \|$", settings_reference(), flags=re.MULTILINE)
    assert len(rows) > 80
    assert not [variable for variable, _, meaning in rows if not meaning]


EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")


def test_example_file_is_complete_and_valid_once_its_placeholders_are_replaced(tmp_path: Path) -> None:
    filled = re.sub(r"0x0{39}(\d)", lambda match: "0x" + match[1] * 40, EXAMPLE)
    (tmp_path / "env").write_text(re.sub(r"=change-me-to.*", "=" + "k" * 32, filled))
    settings = load_settings(tmp_path / "env")
    assert settings.chain.chain_id == 56


def test_placeholders_of_the_example_file_are_refused() -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings(ROOT / ".env.example")
    lines = str(refusal.value).splitlines()[1:]
    refused = {line.split(":")[0].strip() for line in lines}
    assert refused == {
        "PAIMON_FUND__VAULT", "PAIMON_FUND__REDEMPTION_MANAGER", "PAIMON_FUND__ASSET_CONTROLLER",
        "PAIMON_SENDING__KEEPER", "PAIMON_SENDING__APPROVER", "PAIMON_AUTH__TOKEN_SECRET",
        "PAIMON_AUTH__PERSONAL_DATA_SECRET",
        "PAIMON_REDIS__INTEGRITY_KEY",
    }  # fmt: skip
    assert all("your own" in line for line in lines)
    assert not any("Value error" in line for line in lines), "a word of the library, and no line is about a value of Python"


def test_example_file_names_no_unknown_setting() -> None:
    known = set(re.findall(r"`(PAIMON_\w+)`", settings_reference()))
    named = set(re.findall(r"^#? ?(PAIMON_\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert named <= known
