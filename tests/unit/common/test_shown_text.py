"""A contract's text that is shown to people: one line, without what they cannot see, of a bounded length."""

import unicodedata

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.text import shown_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("USDT", "USDT"),
        ("T-Bill \u20ac", "T-Bill \u20ac"),
        ("国债", "国债"),
        ("USDT\n2026-11-29 signer.signed", "USDT 2026-11-29 signer.signed"),
        ("USDT\u2028x", "USDT x"),
        ("\u202eTDSU\u202c", "TDSU"),
        ("US\u2066D\u2069T\u200f", "USDT"),
        ("US\u200bDT\ufeff", "USDT"),
        ("\x1b[31mUSDT\x1b[0m\x9b", "[31mUSDT[0m"),
        ("\x00\x07", ""),
        ("  many\t\t spaces ", "many spaces"),
        ("x" * 40, "x" * 31 + "…"),
    ],
)
def test_name_is_shown_as_it_reads(text: str, shown: str) -> None:
    assert shown_line(text, length_max=32) == shown


@given(st.text(max_size=400), st.integers(1, 100))
def test_any_text_is_one_short_line_without_hidden_characters(text: str, length_max: int) -> None:
    shown = shown_line(text, length_max=length_max)
    assert len(shown) <= length_max
    assert shown.splitlines() in ([], [shown])
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in shown)
    assert shown_line(shown, length_max=length_max) == shown


def test_reason_of_a_revert_is_one_line() -> None:
    reason = encode(["string"], ["no\n\u202egnihton" + "y" * 10_000])
    explained = load_abi("Vault").explain_revert(bytes.fromhex("08c379a0") + reason)
    assert explained.startswith("reverted: no gnihton")
    assert len(explained) <= 500
