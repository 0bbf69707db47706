"""Tests of the text forms of addresses, roles and blocks."""

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import ADDRESSES, STAMPS

from paimon.domain.kernel.chain import Address, BlockStamp, InvalidAddress, OnChainRole, checksum, hex0x, parse_address

pytestmark = pytest.mark.unit

# The examples of EIP-55 itself.
EIP_55 = (
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)


@given(ADDRESSES)
def test_address_survives_round_trip_through_text(address: Address) -> None:
    shown = checksum(address)
    assert parse_address(shown) == parse_address(shown.lower()) == parse_address("0x" + shown[2:].upper()) == address


@pytest.mark.parametrize("text", EIP_55)
def test_addresses_are_shown_with_eip55_checksum(text: str) -> None:
    assert checksum(parse_address(text.lower())) == text


@pytest.mark.parametrize("text", EIP_55)
@given(data=st.data())
def test_address_with_one_wrong_case_is_refused(text: str, data: st.DataObject) -> None:
    letters = [at for at, letter in enumerate(text) if at > 1 and letter.isalpha()]
    at = data.draw(st.sampled_from(letters))
    with pytest.raises(InvalidAddress, match="wrong EIP-55 checksum"):
        parse_address(text[:at] + text[at].swapcase() + text[at + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "vera.eth",
        "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed0",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae٣",  # a digit, but not a hexadecimal one
        " 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
    ],
)
def test_malformed_address_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(InvalidAddress, match="0x followed by 40 hexadecimal digits"):
        parse_address(text)


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = parse_address(text)
    except InvalidAddress:
        return
    assert len(found) == 20


def test_refusal_shortens_long_text() -> None:
    with pytest.raises(InvalidAddress) as refusal:
        parse_address("x" * 10_000)
    assert len(str(refusal.value)) < 200


def test_role_ids_are_hashes_of_openzeppelin() -> None:
    assert OnChainRole.DEFAULT_ADMIN_ROLE.id == bytes(32)
    assert OnChainRole.VIP_APPROVER_ROLE.id == keccak(text="VIP_APPROVER_ROLE")
    assert len({role.id for role in OnChainRole}) == len(OnChainRole)


@given(STAMPS)
def test_block_stamp_shows_number_and_start_of_hash(stamp: BlockStamp) -> None:
    assert str(stamp) == f"#{stamp.number} {hex0x(stamp.hash)[:10]}"
