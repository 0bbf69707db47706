"""What a wallet shows of a document by the descriptors (ERC-7730) that it has, by an implementation that is not ours."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from tests.support.api_clients import PROGRAMS, install_packages, run_program

from paimon.domain.kernel.chain import Address, checksum, hex0x


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """The screens of one document, in their order: labels with values.

    `unknown` is what the wallet could not show as the descriptor says. (It has no names of addresses, which is left out.)
    """

    intent: str | None
    owner: str | None
    screens: list[tuple[str, str]]
    unknown: list[str]


def show_documents(
    descriptors: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], *, asset: Address, decimals: int
) -> list[ShownDocument]:
    """Show the documents by these descriptors alone."""
    install_packages()
    question = {
        "descriptors": descriptors,
        "index": {"calldataIndex": {}, "typedDataIndex": _index(descriptors)},
        "token": {"address": checksum(asset), "name": "Tether USD", "symbol": "USDT", "decimals": decimals},
        "documents": documents,
    }
    answers = json.loads(run_program("node", PROGRAMS / "show_documents.mjs", text=json.dumps(question)))
    return [_shown(answer) for answer in answers]


def _shown(answer: Mapping[str, Any]) -> ShownDocument:
    screens = [screen for field in answer.get("fields", []) for screen in field.get("fields", [field])]
    warnings = [*answer.get("warnings", []), *(screen["warning"] for screen in screens if screen.get("warning"))]
    unknown = [f"{it['code']}: {it['message']}" for it in warnings if it["code"] != "UNKNOWN_ADDRESS"]
    values = [(screen["label"], screen["value"]) for screen in screens]
    return ShownDocument(answer.get("intent"), answer.get("metadata", {}).get("owner"), values, unknown)


def _index(descriptors: Mapping[str, Any]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return where a registry lists each descriptor: by chain and contract, primary type, and hash of the type."""
    index: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, descriptor in descriptors.items():
        for deployment in descriptor["context"]["eip712"]["deployments"]:
            place = index.setdefault(f"eip155:{deployment['chainId']}:{deployment['address'].lower()}", {})
            for encoded_type in descriptor["display"]["formats"]:
                entry = {"path": name, "encodeTypeHashes": [hex0x(keccak(text=encoded_type))]}
                place.setdefault(encoded_type.partition("(")[0], []).append(entry)
    return index


def check_descriptor_types(descriptors: Mapping[str, Any], folder: Path) -> None:
    """Have tsc compare the descriptors with the published types of ERC-7730, which know no other key.

    Raises:
        ProgramFailed: says which key or value is none of them.
    """
    install_packages()
    (folder / "node_modules").symlink_to(PROGRAMS / "node_modules")
    (folder / "package.json").write_text(json.dumps({"type": "module"}))
    lines = ["import type { Descriptor } from '@ethereum-sourcify/clear-signing'"]
    lines += [
        f"export const descriptor{number}: Descriptor = {json.dumps(it)}" for number, it in enumerate(descriptors.values())
    ]
    (folder / "descriptors.ts").write_text("\n".join(lines))
    options = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "--skipLibCheck")
    run_program(PROGRAMS / "node_modules" / ".bin" / "tsc", *options, "descriptors.ts", cwd=folder)
