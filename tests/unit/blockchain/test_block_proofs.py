"""Header hashes, receipt roots and blooms, compared with other implementations."""

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
"""Headers of public blocks, from the forks that changed the header."""

ITEMS: Final = st.recursive(st.binary(max_size=300), lambda inner: st.lists(inner, max_size=6), max_leaves=20)
PARTS: Final = st.lists(st.binary(min_size=20, max_size=32), min_size=1, max_size=4)


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header["chain"])
def test_header_hash_matches_public_headers(header: dict[str, Any]) -> None:
    assert hex0x(header_hash(header)) == header["hash"]


def test_header_hash_ignores_leading_zeros_of_a_quantity() -> None:
    assert header_hash(HEADERS[0] | {"number": "0x0003d0900"}) == header_hash(HEADERS[0])


@given(st.sampled_from(HEADERS), st.data())
def test_header_hash_changes_with_any_committed_field(header: dict[str, Any], data: st.DataObject) -> None:
    committed = sorted(header.keys() - {"chain", "hash", "size", "totalDifficulty", "uncles", "withdrawals"})
    name = data.draw(st.sampled_from(committed))
    value = header[name]
    changed = value[:-1] + ("1" if value[-1] == "0" else "0")
    assert hex0x(header_hash(header | {name: changed})) != header["hash"]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header["chain"])
def test_header_hash_changes_when_a_field_boundary_moves(header: dict[str, Any]) -> None:
    """Otherwise a node could return any receipts root under the right hash."""
    root, bloom = header["receiptsRoot"], header["logsBloom"]
    moved = {"receiptsRoot": root[:-2], "logsBloom": "0x" + root[-2:] + bloom[2:]}
    assert header_hash(header | moved) != header_hash(header)


@given(ITEMS)
def test_rlp_matches_the_reference_library(item: Any) -> None:
    assert rlp_encode(item) == rlp.encode(item)


@given(st.integers(0, 2**256))
def test_rlp_quantity_matches_the_reference_library(number: int) -> None:
    assert rlp_encode(quantity(number)) == rlp.encode(number)


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=40))
def test_ordered_root_matches_the_reference_library(values: list[bytes]) -> None:
    assert ordered_root(values) == _reference_root(values)


def test_ordered_root_of_many_values_matches_the_reference_library() -> None:
    """From 128 and 256 values on the keys get longer, and from 17 on they share prefixes."""
    for many in (16, 17, 127, 128, 129, 255, 256, 257, 400):
        values = [bytes([place % 251]) * (place % 70 + 1) for place in range(many)]
        assert ordered_root(values) == _reference_root(values)


def _reference_root(values: list[bytes]) -> bytes:
    trie = HexaryTrie({})
    for place, value in enumerate(values):
        trie[rlp.encode(place)] = value
    return bytes(trie.root_hash)


@given(st.lists(PARTS, max_size=30), PARTS)
def test_bloom_matches_the_reference_and_excludes_no_logged_part(logged: list[list[bytes]], probed: list[bytes]) -> None:
    reference = BloomFilter()
    for parts in logged:
        reference.extend(parts)
    bloom = int(reference)
    assert not any(excludes(bloom, bloom_of(*parts)) for parts in logged)
    assert excludes(bloom, bloom_of(*probed)) == (not all(part in reference for part in probed))


def test_log_index_follows_from_the_receipts_not_from_the_log() -> None:
    said = {"blockNumber": "0x99", "blockHash": "0x" + "ee" * 32, "logIndex": "0x7", "transactionIndex": "0x9"}
    log = {"address": "0x" + "11" * 20, "topics": ["0x" + "22" * 32], "data": "0x33", **said}
    receipts = [_receipt(1, []), _receipt(2, [log, log]), _receipt(3, [log])]
    places = [(log.log_index, log.tx_index, log.tx_hash[-1]) for log in read_receipts(receipts)[1]]
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
def test_receipt_is_encoded_by_its_transaction_type(kind: int) -> None:
    log = {"address": "0x" + "11" * 20, "topics": ["0x" + "22" * 32], "data": "0x"}
    content = rlp.encode([b"\x01", b"\x52\x08", bytes(256), [[b"\x11" * 20, [b"\x22" * 32], b""]]])
    encoded = (bytes([kind]) if kind else b"") + content
    assert receipts_root([_receipt(1, [log]) | {"type": hex(kind)}]) == _reference_root([encoded])


def test_receipt_without_status_is_encoded_with_its_state_root() -> None:
    old = _receipt(1, []) | {"root": "0x" + "44" * 32}
    del old["status"], old["type"]
    assert receipts_root([old]) == _reference_root([rlp.encode([b"\x44" * 32, b"\x52\x08", bytes(256), []])])


def test_keccak_is_not_the_standardised_sha3() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
