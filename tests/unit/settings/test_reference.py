"""Tests that the reference page and the example file match the settings."""

import re

import pytest
from tests.support.paths import DOCS, ROOT

from paimon.settings import load_settings
from paimon.settings.reference import settings_reference

pytestmark = pytest.mark.unit


def test_reference_page_matches_code() -> None:
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_reference(), "run `make reference`"


def test_every_setting_has_a_meaning() -> None:
    rows = re.findall(r"^\| `(PAIMON_\w+)` \| (.*?) \| (.*?) \|$", settings_reference(), flags=re.MULTILINE)
    assert len(rows) > 80
    assert not [variable for variable, _, meaning in rows if not meaning]


def test_example_file_is_complete_and_valid() -> None:
    settings = load_settings(ROOT / ".env.example")
    assert settings.chain.chain_id == 56


def test_example_file_names_no_unknown_setting() -> None:
    known = set(re.findall(r"`(PAIMON_\w+)`", settings_reference()))
    named = set(re.findall(r"^#? ?(PAIMON_\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert named <= known
