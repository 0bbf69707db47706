"""Clear signing: descriptors by which a wallet shows the fund's documents in words, not as bytes (ERC-7730, version 2).

A descriptor is a file of JSON. It names the chain and the verifying contract, so that it counts for this deployment alone, and
says for each field of one document how it is shown. The people's wallets get the files from a registry, or by hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from paimon.application.signed_actions.displayed_documents import (
    FUND_DOCUMENTS,
    SAFE_DOCUMENT,
    SAFE_OPERATIONS,
    DisplayedDocument,
    DisplayedField,
    FieldFormat,
    Hidden,
    Shown,
    ShownList,
)
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import DOMAIN_NAME, DOMAIN_VERSION, SigningScope

_SCHEMA: Final = "https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json"


@dataclass(frozen=True, slots=True)
class SigningPlace:
    """Where people's signatures count: the fund's contract, the token of the amounts, and the fund's Safes."""

    scope: SigningScope
    asset: Address
    safes: tuple[Address, ...]


def clear_signing_files(place: SigningPlace) -> dict[str, dict[str, Any]]:
    """Return the descriptors by the names of their files; without a Safe there is none of Safe transactions."""
    documents = (*FUND_DOCUMENTS, SAFE_DOCUMENT) if place.safes else FUND_DOCUMENTS
    return {f"eip712-{document.primary_type}.json": _descriptor(document, place) for document in documents}


def _descriptor(document: DisplayedDocument, place: SigningPlace) -> dict[str, Any]:
    is_safes = document is SAFE_DOCUMENT
    return {
        "$schema": _SCHEMA,
        "context": {"eip712": _safe_context(place) if is_safes else _fund_context(place)},
        "metadata": _SAFE_METADATA if is_safes else _FUND_METADATA,
        "display": {
            "formats": {
                document.encoded_type: {
                    "intent": document.intent,
                    "fields": [_field(name, shown, place.asset) for name, shown in document.fields.items()],
                }
            }
        },
    }


_FUND_METADATA: Final[Mapping[str, Any]] = {"owner": DOMAIN_NAME, "contractName": "RedemptionManager"}

_SAFE_METADATA: Final[Mapping[str, Any]] = {
    "owner": DOMAIN_NAME,
    "contractName": "Safe",
    "enums": {"operation": {str(operation.value): name for operation, name in SAFE_OPERATIONS.items()}},
}


def _fund_context(place: SigningPlace) -> dict[str, Any]:
    return {
        "domain": {"name": DOMAIN_NAME, "version": DOMAIN_VERSION},
        "deployments": list(_deployments(place.scope.chain_id, (place.scope.redemption_manager,))),
    }


def _safe_context(place: SigningPlace) -> dict[str, Any]:
    """Bind to the Safes alone: the domain of a Safe has neither a name nor a version."""
    return {"deployments": list(_deployments(place.scope.chain_id, place.safes))}


def _deployments(chain_id: int, addresses: tuple[Address, ...]) -> Iterator[dict[str, Any]]:
    for address in addresses:
        yield {"chainId": chain_id, "address": checksum(address)}


def _field(name: str, field: DisplayedField, asset: Address) -> dict[str, Any]:
    match field:
        case Hidden():
            return {"path": name, "label": field.label, "format": FieldFormat.RAW.value, "visible": "never"}
        case ShownList():
            return {
                "path": f"{name}.[]",
                "label": field.label,
                "fields": [_field(member, inner, asset) for member, inner in field.fields.items()],
            }
    return {"path": name, "label": field.label, "format": field.format.value, **_params(field, asset), **_visibility(field)}


_ADDRESS_TYPES: Final = ["wallet", "eoa", "contract", "token"]
"""Any address may stand there. The registry wants the types named."""


def _params(field: Shown, asset: Address) -> dict[str, Any]:
    params: Mapping[str, Any] = field.params
    match field.format:
        case FieldFormat.TOKEN_AMOUNT:
            params = {"token": checksum(asset)}
        case FieldFormat.DATE:
            params = {"encoding": "timestamp"}
        case FieldFormat.ADDRESS_NAME:
            params = {"types": _ADDRESS_TYPES}
    return {"params": dict(params)} if params else {}


def _visibility(field: Shown) -> dict[str, Any]:
    return {"visible": "always" if field.unless is None else {"ifNotIn": [field.unless]}}
