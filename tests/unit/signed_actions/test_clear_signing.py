"""Descriptors for wallets: every field of every document that a person signs is shown, or hidden for a reason."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from tests.support.paths import ROOT

from paimon.application.signed_actions.clear_signing import SigningPlace, clear_signing_files
from paimon.application.signed_actions.displayed_documents import (
    FUND_DOCUMENTS,
    SAFE_DOCUMENT,
    DisplayedDocument,
    DisplayedField,
    FieldFormat,
    Hidden,
    Shown,
    ShownList,
)
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.eip712 import DocumentType, SigningScope
from paimon.domain.kernel.signed_action import SIGNED_ACTION
from paimon.domain.transaction.plan import PLAN_EXECUTION
from paimon.domain.transaction.safe_transaction import SAFE_TRANSACTION_FIELDS

pytestmark = pytest.mark.unit

MANAGER, USDT, WARM, COLD = (Address(bytes(19) + bytes([number])) for number in range(1, 5))
PLACE: Final = SigningPlace(SigningScope(56, MANAGER), USDT, (WARM, COLD))
FILES: Final = clear_signing_files(PLACE)
BY_TYPE: Final = {document.primary_type: document for document in (*FUND_DOCUMENTS, SAFE_DOCUMENT)}


def made_documents() -> dict[str, DocumentType]:
    """Return every document type that any module of the product makes."""
    texts = {path: path.read_text() for path in (ROOT / "src" / "paimon").rglob("*.py")}
    sources = {path: text.count("DocumentType(") for path, text in texts.items() if "DocumentType(" in text}
    names = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in sources]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    made = {value.primary_type: value for value in values if isinstance(value, DocumentType)}
    assert len(made) == sum(sources.values()) >= 6, "a document type is a constant of its module, under a name of its own"
    return made


def paths(fields: list[dict[str, Any]]) -> set[str]:
    """Return the paths of a descriptor's fields, those inside a list below the list's."""
    found = set()
    for field in fields:
        found |= {f"{field['path']}.{inner}" for inner in paths(field["fields"])} if "fields" in field else {field["path"]}
    return found


def test_every_document_that_people_sign_has_a_descriptor() -> None:
    assert made_documents().keys() | {"SafeTx"} == BY_TYPE.keys()
    assert set(FILES) == {f"eip712-{name}.json" for name in BY_TYPE}


def test_every_signed_field_is_in_the_descriptor_of_its_document() -> None:
    expected: dict[str, tuple[Mapping[str, str], Mapping[str, Mapping[str, str]]]] = {
        name: (document.signed_fields, document.structs) for name, document in made_documents().items()
    }
    expected["SafeTx"] = (SAFE_TRANSACTION_FIELDS, {})
    for name, (fields, structs) in expected.items():
        ((encoded, shown),) = FILES[f"eip712-{name}.json"]["display"]["formats"].items()
        assert paths(shown["fields"]) == {
            path
            for field, kind in fields.items()
            for path in ([f"{field}.[].{inner}" for inner in structs[kind[:-2]]] if kind.endswith("[]") else [field])
        }
        assert encoded.startswith(f"{name}({','.join(f'{kind} {field}' for field, kind in fields.items())})")


def test_only_the_nonce_of_our_documents_is_hidden_and_each_hidden_field_has_a_reason() -> None:
    hidden = {
        (document.primary_type, name): field.reason
        for document in BY_TYPE.values()
        for name, field in document.fields.items()
        if isinstance(field, Hidden)
    }
    assert hidden.keys() == {(document.primary_type, "nonce") for document in FUND_DOCUMENTS}
    assert all(hidden.values())
    never = [field["path"] for file in FILES.values() for field in shown_fields(file) if field.get("visible") == "never"]
    assert never == ["nonce"] * len(FUND_DOCUMENTS)


def shown_fields(descriptor: dict[str, Any]) -> list[dict[str, Any]]:
    (shown,) = descriptor["display"]["formats"].values()
    fields: list[dict[str, Any]] = shown["fields"]
    return fields


def test_formats_have_the_parameters_without_which_the_registry_refuses_them() -> None:
    needed = {"tokenAmount": "token", "date": "encoding", "addressName": "types", "calldata": "calleePath", "enum": "$ref"}
    for descriptor in FILES.values():
        for field in shown_fields(descriptor):
            for shown in field.get("fields", [field]):
                assert needed.get(shown["format"]) in (None, *shown.get("params", {})), shown


def test_no_sentence_stands_for_the_fields() -> None:
    """A wallet that shows `interpolatedIntent` may show nothing else."""
    for descriptor in FILES.values():
        (shown,) = descriptor["display"]["formats"].values()
        assert shown.keys() == {"intent", "fields"}


def test_descriptors_count_for_this_deployment_alone() -> None:
    manager = {"chainId": 56, "address": "0x0000000000000000000000000000000000000001"}
    safes = [{"chainId": 56, "address": f"0x{number:040x}"} for number in (3, 4)]
    for name, descriptor in FILES.items():
        context = descriptor["context"]["eip712"]
        assert context["deployments"] == (safes if name == "eip712-SafeTx.json" else [manager])
        assert context.get("domain") == (
            None if name == "eip712-SafeTx.json" else {"name": "Paimon Prime Fund", "version": "1"}
        )
    assert set(FILES) - set(clear_signing_files(replace(PLACE, safes=()))) == {"eip712-SafeTx.json"}


ACTION: Final = BY_TYPE[SIGNED_ACTION.primary_type]
PLAN: Final = BY_TYPE[PLAN_EXECUTION.primary_type]
CALLS: Final = PLAN.fields["calls"]


def changed(document: DisplayedDocument, **fields: DisplayedField) -> DisplayedDocument:
    return replace(document, fields={**document.fields, **fields})


def without(document: DisplayedDocument, name: str) -> DisplayedDocument:
    return replace(document, fields={field: shown for field, shown in document.fields.items() if field != name})


def test_table_that_is_not_the_documents_does_not_load() -> None:
    assert isinstance(CALLS, ShownList)
    forgotten = ShownList("Calls", {name: shown for name, shown in CALLS.fields.items() if name != "to"})
    refused: dict[Callable[[], DisplayedDocument], str] = {
        lambda: replace(ACTION, types={**ACTION.types, "validUntil": "uint256"}): "SignedAction has the fields",
        lambda: without(ACTION, "amount"): "SignedAction has the fields",
        lambda: without(ACTION, "nonce"): "SignedAction has the fields",
        lambda: changed(PLAN, calls=forgotten): "PlanExecution.calls has the fields",
        lambda: changed(PLAN, calls=Shown("Calls")): r"PlanExecution.calls is a PlanCall\[\]",
        lambda: changed(PLAN, plan=CALLS): "PlanExecution.plan has the fields",
        lambda: changed(ACTION, effectHash=Shown("Hash", FieldFormat.DATE)): "SignedAction.effectHash is a bytes32",
        lambda: changed(ACTION, action=Shown("Action", FieldFormat.ADDRESS_NAME)): "SignedAction.action is a string",
        lambda: changed(ACTION, amount=Shown("The amount that will move")): "must be 1 to 20 characters",
        lambda: changed(ACTION, amount=Shown("金额", FieldFormat.TOKEN_AMOUNT)): "must be 1 to 20 characters",
        lambda: replace(ACTION, intent=""): "must be 1 to 30 characters",
    }
    for make, reason in refused.items():
        with pytest.raises(ValueError, match=reason):
            make()
