"""What a header commits to, recomputed: its own hash, its receipts, its bloom. Held against other implementations."""

import json
from typing import Any, Final

import pytest
import rlp
from eth_bloom import BloomFilter
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paths import ROOT
from trie import HexaryTrie

from paimon.domain.kernel.chain import hex0x
from paimon.infrastructure.blockchain.proof.bloom import bloom_of, excludes
from paimon.infrastructure.blockchain.proof.headers import header_hash
from paimon.infrastructure.blockchain.proof.keccak import keccak256
from paimon.infrastructure.blockchain.proof.merkle import ordered_root, quantity, rlp_encode
from paimon.infrastructure.blockchain.proof.receipts import read_receipts, receipts_root

pytestmark = pytest.mark.unit

HEADERS: Final[list[dict[str, Any]]] = json.loads(
    (ROOT / "tests/support/chain/public_headers.json").read_text(encoding="utf-8")
)
"""Blocks that everybody can look up, of the forks that changed the header."""

ITEMS: Final = st.recursive(st.binary(max_size=300), lambda inner: st.lists(inner, max_size=6), max_leaves=20)
PARTS: Final = st.lists(st.binary(min_size=20, max_size=32), min_size=1, max_size=4)


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header["chain"])
def test_a_public_headers_hash_is_found_again(header: dict[str, Any]) -> None:
    assert hex0x(header_hash(header)) == header["hash"]


def test_a_quantity_with_leading_zeros_is_the_same_quantity() -> None:
    assert header_hash(HEADERS[0] | {"number": "0x0003d0900"}) == header_hash(HEADERS[0])


@given(st.sampled_from(HEADERS), st.data())
def test_a_header_with_any_committed_field_changed_has_another_hash(header: dict[str, Any], data: st.DataObject) -> None:
    committed = sorted(header.keys() - {"chain", "hash", "size", "totalDifficulty", "uncles", "withdrawals"})
    name = data.draw(st.sampled_from(committed))
    value = header[name]
    changed = value[:-1] + ("1" if value[-1] == "0" else "0")
    assert hex0x(header_hash(header | {name: changed})) != header["hash"]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header["chain"])
def test_a_boundary_moved_from_one_field_to_the_next_is_another_header(header: dict[str, Any]) -> None:
    """Else a node could show a receipts root of its own choice under the right hash."""
    root, bloom = header["receiptsRoot"], header["logsBloom"]
    moved = {"receiptsRoot": root[:-2], "logsBloom": "0x" + root[-2:] + bloom[2:]}
    assert header_hash(header | moved) != header_hash(header)


@given(ITEMS)
def test_rlp_is_what_the_reference_says(item: Any) -> None:
    assert rlp_encode(item) == rlp.rlp_encode(item)


@given(st.integers(0, 2**256))
def test_a_quantity_has_no_leading_zeros(number: int) -> None:
    assert rlp_encode(quantity(number)) == rlp.encode(number)


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=40))
def test_the_ordered_root_is_the_references(values: list[bytes]) -> None:
    assert ordered_root(values) == _reference_root(values)


def test_the_ordered_root_of_many_is_the_references() -> None:
    """Past 127 and 255 the keys grow, and past 16 their beginnings are shared."""
    for many in (16, 17, 127, 128, 129, 255, 256, 257, 400):
        values = [bytes([place % 251]) * (place % 70 + 1) for place in range(many)]
        assert ordered_root(values) == _reference_root(values)


def _reference_root(values: list[bytes]) -> bytes:
    trie = HexaryTrie({})
    for place, value in enumerate(values):
        trie[rlp.encode(place)] = value
    return bytes(trie.root_hash)


@given(st.lists(PARTS, max_size=30), PARTS)
def test_a_bloom_never_excludes_what_was_logged_and_is_the_references(logged: list[list[bytes]], asked: list[bytes]) -> None:
    reference = BloomFilter()
    for parts in logged:
        reference.extend(parts)
    bloom = int(reference)
    assert not any(excludes(bloom, bloom_of(*parts)) for parts in logged)
    assert excludes(bloom, bloom_of(*asked)) == (not all(part in reference for part in asked))


def test_a_log_is_placed_by_its_receipt_and_not_by_what_it_says_itself() -> None:
    said = {"blockNumber": "0x99", "blockHash": "0x" + "ee" * 32, "logIndex": "0x7", "transactionIndex": "0x9"}
    log = {"address": "0x" + "11" * 20, "topics": ["0x" + "22" * 32], "data": "0x33", **said}
    receipts = [_receipt(1, []), _receipt(2, [log, log]), _receipt(3, [log])]
    places = [(each.log_index, each.tx_index, each.tx_hash[-1]) for each in read_receipts(receipts)[1]]
    assert places == [(0, 1, 2), (1, 1, 2), (2, 2, 3)]


def _receipt(number: int, logs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "transactionHash": hex0x(number.to_bytes(32, "big")),
        "type": "0x0",
        "status": "0x1",
        "cumulativeGasUsed": "0x5208",
        "logsBloom": "0x" + "00" * 256,
        "logs": logs,
    }


@pytest.mark.parametrize("kind", range(5))
def test_a_receipt_is_encoded_as_its_type_has_it(kind: int) -> None:
    log = {"address": "0x" + "11" * 20, "topics": ["0x" + "22" * 32], "data": "0x"}
    content = rlp.encode([b"\x01", b"\x52\x08", bytes(256), [[b"\x11" * 20, [b"\x22" * 32], b""]]])
    encoded = (bytes([kind]) if kind else b"") + content
    assert receipts_root([_receipt(1, [log]) | {"type": hex(kind)}]) == _reference_root([encoded])


def test_a_receipt_without_a_status_has_a_state_root_in_its_place() -> None:
    old = _receipt(1, []) | {"root": "0x" + "44" * 32}
    del old["status"], old["type"]
    assert receipts_root([old]) == _reference_root([rlp.encode([b"\x44" * 32, b"\x52\x08", bytes(256), []])])


def test_keccak_is_the_one_before_the_standard() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
