"""Tests of the OpenAPI document: examples match their schemas, every error is documented, and there is no 422."""

import csv
import importlib
import io
import pkgutil
import re
from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter
from tests.support.paths import DOCS

import paimon
from paimon.gateway.rest.envelope import ErrorCode, ErrorEnvelope
from paimon.gateway.rest.openapi import examples
from paimon.gateway.rest.reference import create_reference_app, openapi_reference
from paimon.gateway.rest.schema import ApiModel

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_reference_app()


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not method.startswith("x-"):
                yield f"{method.upper()} {path}", operation


def resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def mismatches(value: Any, schema: dict[str, Any], document: dict[str, Any], at: str = "$") -> list[str]:
    """List where a JSON value does not match its schema: types, required and unknown keys, enums; recursively."""
    schema = resolve(schema, document)
    if choices := schema.get("anyOf"):
        found = [mismatches(value, choice, document, at) for choice in choices]
        return [] if [] in found else min(found, key=len)
    kinds: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    kind = schema.get("type")
    if kind and not isinstance(value, kinds[kind]):
        return [f"{at}: {value!r} is not of type {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    if "const" in schema and value != schema["const"]:
        return [f"{at}: {value!r} is not {schema['const']!r}"]
    problems: list[str] = []
    if isinstance(value, dict) and "properties" in schema:
        properties = schema["properties"]
        problems += [f"{at}: {key} is missing" for key in schema.get("required", []) if key not in value]
        problems += [f"{at}: {key} is unknown" for key in value if key not in properties]
        for key in value.keys() & properties.keys():
            problems += mismatches(value[key], properties[key], document, f"{at}.{key}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            problems += mismatches(item, schema.get("items", {}), document, f"{at}[{index}]")
    return problems


def test_every_response_has_an_example_that_matches_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status == "304":
                assert "content" not in response, name
                continue
            content = response["content"]["application/json"]
            assert mismatches(content["example"], content["schema"], document) == [], f"{name} {status}"
            checked += 1
    assert checked > 60


def test_every_list_and_nothing_else_is_documented_as_csv(document: dict[str, Any]) -> None:
    """The CSV example has a header and the rows of the JSON example."""
    files: set[str] = set()
    for name, operation in operations(document):
        success = operation["responses"].get("200", operation["responses"].get("202"))
        schema = resolve(success["content"]["application/json"]["schema"], document)
        data = resolve(schema["properties"].get("data", {}), document).get("properties", {})  # a JWK set has no envelope
        takes_format = any(parameter["name"] == "format" for parameter in operation.get("parameters", []))
        assert takes_format is ("text/csv" in success["content"]), name
        assert takes_format or "pagination" not in data, name
        if takes_format:
            example = success["content"]["text/csv"]["example"]
            header, *rows = csv.reader(io.StringIO(example, newline=""), strict=True)
            assert header, name
            assert rows, name
            assert {len(row) for row in rows} == {len(header)}, name
            assert ("asOf.number" in header) is ("asOf" in data), name
            files.add(name.removeprefix("GET /api/v1"))
    assert files == {
        "/approvals/{ticketId}/audit-logs",
        "/audit/entries",
        "/audit/roots",
        "/notifications",
        "/redemptions",
        "/redemptions/pending-approvals",
        "/system/outbox",
        "/system/quarantine",
        "/approvals",
        "/multisig/proposals",
        "/fund/holders",
        "/chain/transactions",
        "/fund/events/pending",
        "/fund/assets",
        "/fund/fees",
        "/fund/liquidity/layers",
        "/fund/nav/history",
        "/fund/nav/explain",
        "/risk/events",
        "/risk/indicators/{name}/history",
        "/risk/promises",
        "/prices",
        "/prices/{token}/observations",
        "/reports",
        "/reports/{kind}",
        "/statements/{holder}",
        "/transactions/intents",
        "/wallets",
        "/plans",
        "/rebalance/history",
    }


def test_mismatches_are_found_in_a_wrong_example(document: dict[str, Any]) -> None:
    schema = document["paths"]["/api/v1/auth/me"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    example = examples()["me"]
    assert mismatches(example, schema, document) == []
    for change in ({"role": "king"}, {"address": 1}, {"extra": True}):
        assert mismatches(example | {"data": example["data"] | change}, schema, document) != []
    assert mismatches(example | {"data": {}}, schema, document) != []


def test_examples_survive_a_round_trip_through_their_models(app: FastAPI) -> None:
    """The model parses the example and dumps it unchanged, so no value loses digits or its time zone."""
    checked = 0
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not isinstance(route.response_model, type):
            continue
        if not issubclass(route.response_model, ApiModel):
            continue
        model = TypeAdapter(route.response_model)
        name = route.responses[route.status_code or 200]["content"]["application/json"]["example"]["recorded"]
        example = examples()[name]
        assert model.dump_python(model.validate_python(example), mode="json", by_alias=True) == example, route.path
        checked += 1
    assert checked > 15


def test_invalid_requests_are_documented_as_400_never_422(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert "422" not in operation["responses"], name
        takes_something = operation.get("parameters") or operation.get("requestBody")
        assert not takes_something or "400" in operation["responses"], name
        if "requestBody" in operation:
            assert {"413", "415"} <= operation["responses"].keys(), name
        if operation.get("security"):
            assert {"401", "503"} <= operation["responses"].keys(), name
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_errors_are_documented_with_the_code_that_is_sent(document: dict[str, Any]) -> None:
    codes = {
        400: {ErrorCode.VALIDATION_ERROR},
        401: {ErrorCode.AUTH_REQUIRED, ErrorCode.AUTH_INVALID, ErrorCode.AUTH_EXPIRED},
        403: {ErrorCode.FORBIDDEN},
        404: {ErrorCode.NOT_FOUND},
        409: {ErrorCode.CONFLICT},
        413: {ErrorCode.PAYLOAD_TOO_LARGE},
        415: {ErrorCode.UNSUPPORTED_MEDIA_TYPE},
        429: {ErrorCode.RATE_LIMITED},
        503: {ErrorCode.SERVICE_UNAVAILABLE},
    }
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                example = ErrorEnvelope.model_validate(response["content"]["application/json"]["example"])
                assert example.error.code in codes[int(status)], f"{name} {status}"


def test_other_methods_of_a_path_are_documented_once(document: dict[str, Any]) -> None:
    """405 is the response of a path, not of an operation, and OpenAPI has responses of operations only."""
    response = document["components"]["responses"]["MethodNotAllowed"]
    content = response["content"]["application/json"]
    assert mismatches(content["example"], content["schema"], document) == []
    assert content["example"]["error"]["code"] == ErrorCode.METHOD_NOT_ALLOWED
    assert "Allow" in response["headers"]
    for path, methods in document["paths"].items():
        assert methods["x-other-methods"] == {"$ref": "#/components/responses/MethodNotAllowed"}, path
    assert [name for name, operation in operations(document) if "405" in operation["responses"]] == []


def known_names() -> dict[str, str]:
    """Return the values of all enums of the code, with the enum of each; for numbers their names."""
    for module in pkgutil.walk_packages(paimon.__path__, "paimon."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    enums = [*subclasses(StrEnum), *subclasses(IntEnum)]
    return {
        (str(member) if isinstance(member, str) else member.name): enum.__name__
        for enum in enums
        if enum.__module__.startswith("paimon.")
        for member in enum
    }


def subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def unlisted(value: Any, schema: dict[str, Any], document: dict[str, Any], at: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of a JSON value whose schema lists no values, with their places."""
    schema = resolve(schema, document)
    choices = [resolve(choice, document) for choice in schema.get("anyOf", [schema])]
    for choice in choices:
        if isinstance(value, dict) and "properties" in choice:
            for key, item in value.items():
                yield from unlisted(item, choice["properties"].get(key, {}), document, f"{choice.get('title', at)}.{key}")
        if isinstance(value, list) and "items" in choice:
            for item in value:
                yield from unlisted(item, choice["items"], document, at)
    if isinstance(value, str) and not any(choice.keys() & {"enum", "const", "pattern", "format"} for choice in choices):
        yield at, value


FREE_TEXT = {
    "OutboxMessageView.kind": "a message of an earlier version may have a kind that this one does not know",
    "OutboxMessageDetailView.kind": "as above",
    "CallBody.contract": "a name or an address",
    "CallBody.function": "any function of any contract",
    "RiskEventView.owner": "a role or an address",
    "RiskEventView.subject": "a figure, a wallet, a component",
    "TimelineEntryView.kind": "an event's name, or a step of the system",
    "ComponentHealthView.name": "a component",
    "OutboxMessageView.aggregateId": "`fund`, or an id",
    "OutboxMessageDetailView.aggregateId": "as above",
    "UserView.name": "a person's name",
    "AttemptView.nodeResponse": "the node's words, or how they were understood",
    "SafeCallView.function": "any function of any contract",
    "RuleModel.name": "a name of one's own",
    "SignerGroupView.name": "a Safe's name, or a group in words",
    "SignerGroupView.rules": "names of rules",
    "WhenModel.contracts": "any contract that a policy names",
    "WhenModel.methods": "any function of any contract",
    "WhenModel.sources": "any wallet that a policy names",
}
"""Fields in which a text that is some enum's value may stand, with the reason why their values are not listed."""


def test_every_enum_lists_its_values(document: dict[str, Any]) -> None:
    """No example has an enum's value in a field that is documented as any text."""
    names, found = known_names(), {}
    for _, operation in operations(document):
        for response in operation["responses"].values():
            content = response.get("content", {}).get("application/json")
            if content is not None:
                for at, value in unlisted(content["example"], content["schema"], document, "$"):
                    if value in names and at not in FREE_TEXT:
                        found[at] = f"{value} of {names[value]}"
    assert found == {}


def test_no_two_models_share_a_name(document: dict[str, Any]) -> None:
    """FastAPI tells models of one name apart by their modules: `paimon__gateway__rest__views__nav__LayersView`."""
    assert [name for name in document["components"]["schemas"] if "paimon__" in name] == []


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    """Generated clients make methods of these names: a verb and what it acts on. FastAPI's own are made from the path."""
    names = [operation["operationId"] for _, operation in operations(document)]
    assert [name for name in names if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)] == []
    assert len(names) == len(set(names))


def test_committed_document_matches_code() -> None:
    assert (DOCS / "reference" / "openapi.json").read_text(encoding="utf-8") == openapi_reference(), "run `make reference`"
