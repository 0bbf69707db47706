"""EIP-712 documents: every signed value and the scope change the digest that a wallet signs."""

from datetime import UTC, datetime

import pytest

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.infrastructure.keys.signatures import typed_digest

pytestmark = pytest.mark.unit

ADDRESS, OTHER = Address(bytes(19) + b"\x01"), Address(bytes(19) + b"\x02")
SCOPE = SigningScope(31337, ADDRESS)
TERMS = SignatureTerms(Hash32(bytes(32)), datetime(2026, 1, 31, tzinfo=UTC))
ORDER = DocumentType(
    "Order",
    {"kind": "string", "to": "address", "amount": "uint256", "items": "Item[]"},
    structs={"Item": {"token": "address", "data": "bytes"}},
)
VALUES: dict[str, object] = {"kind": "buy", "to": ADDRESS, "amount": 2**255, "items": [{"token": ADDRESS, "data": b"\x01"}]}


def test_document_has_the_json_form_that_wallets_read() -> None:
    document = ORDER.build(VALUES, TERMS, SCOPE)
    assert document["primaryType"] == "Order"
    assert [field["name"] for field in document["types"]["Order"]] == ["kind", "to", "amount", "items", "nonce", "expiresAt"]
    assert document["domain"] == {
        "name": "Paimon Prime Fund",
        "version": "1",
        "chainId": 31337,
        "verifyingContract": "0x0000000000000000000000000000000000000001",
    }
    assert document["message"] == {
        "kind": "buy",
        "to": "0x0000000000000000000000000000000000000001",
        "amount": str(2**255),
        "items": [{"token": "0x0000000000000000000000000000000000000001", "data": "0x01"}],
        "nonce": "0x" + "00" * 32,
        "expiresAt": "1769817600",
    }


def test_document_digest_changes_with_every_value_and_the_scope() -> None:
    changed_values: list[dict[str, object]] = [
        {"kind": "sell"},
        {"to": OTHER},
        {"amount": 2**255 + 1},
        {"items": []},
        {"items": [{"token": OTHER, "data": b"\x01"}]},
        {"items": [{"token": ADDRESS, "data": b""}]},
    ]
    documents = [
        ORDER.build(VALUES, TERMS, SCOPE),
        *(ORDER.build(VALUES | changed, TERMS, SCOPE) for changed in changed_values),
        ORDER.build(VALUES, SignatureTerms(Hash32(b"\x01" * 32), TERMS.expires_at), SCOPE),
        ORDER.build(VALUES, SignatureTerms(TERMS.nonce, datetime(2026, 2, 1, tzinfo=UTC)), SCOPE),
        ORDER.build(VALUES, TERMS, SigningScope(56, ADDRESS)),
        ORDER.build(VALUES, TERMS, SigningScope(31337, OTHER)),
    ]
    assert len({typed_digest(document) for document in documents}) == len(documents)


@pytest.mark.parametrize("values", [{}, VALUES | {"nonce": 1}, {name: VALUES[name] for name in ("kind", "to", "amount")}])
def test_document_refuses_values_that_are_not_its_fields(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Order has the fields kind, to, amount, items"):
        ORDER.build(values, TERMS, SCOPE)
