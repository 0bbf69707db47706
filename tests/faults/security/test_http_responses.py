"""What a browser may do with the API's responses, and odd values, which are errors of their sender."""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from prometheus_client import REGISTRY
from tests.support.api_client import UNLIMITED, ApiClient, api_client_for, running_app, seed_users
from tests.support.api_server import ApiServer
from tests.support.chain.fund import TestFund

from paimon.gateway.rest.app import create_app
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.fault

HUGE = "9" * 6_000
ODD: Final = "an odd text"
ODD_VALUES = (
    HUGE,
    "-" + HUGE,
    str(2**63),
    str(2**64),
    str(2**256),
    "%00",
    "\x00",
    "1e999999",
    "0x" + "f" * 6_000,
    "١٢٣",
    "\ud800",
)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/auth/me", 200),
        ("/api/v1/redemptions", 200),
        ("/api/v1/nothing", 404),
        ("/health/live", 200),
        ("/api/docs", 200),
    ],
)
async def test_responses_carry_security_headers_and_name_no_server(api_server: ApiServer, path: str, status: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api_server.port}") as client:
        headers = {"Authorization": f"Bearer {api_server.api_client.token('willa')}"}
        answer = await client.get(path, headers=headers)
        unsigned = await client.get(path)
    for response in (answer, unsigned):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
        for directive in ("frame-ancestors 'none'", "base-uri 'none'"):
            assert directive in response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "Server" not in response.headers
        if path.startswith("/api/v1"):
            assert response.headers["Cache-Control"] == "no-store"
    assert answer.status_code == status


async def test_documentation_is_served_from_own_files(api_client: ApiClient) -> None:
    page = await api_client.client.get("/api/docs")
    assert page.status_code == 200
    referenced = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(referenced) == 4
    for reference in referenced:
        assert not reference.startswith(("http:", "https:", "//")), "it must work offline, and run no code of others"
        answer = await api_client.client.get(f"/api/{reference}")
        assert (answer.status_code, bool(answer.content)) == (200, True), reference
    assert "unsafe-eval" not in page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    for other in ("../errors.py", "__init__.py", "LICENSE", "%2e%2e%2ferrors.py"):
        assert (await api_client.client.get(f"/api/docs/{other}")).status_code == 404


def routes(settings: Settings) -> list[APIRoute]:
    contexts = iter_route_contexts(create_app(settings).routes)
    found = [context.route for context in contexts if isinstance(context.route, APIRoute)]
    assert len(found) > 40
    return found


@pytest.fixture
async def unlimited_client(settings: Settings, database: Database, fund: TestFund) -> AsyncIterator[ApiClient]:
    """Serve the API without limits of requests, so that every one of many reaches its endpoint."""
    await seed_users(database, fund)
    unlimited = settings.model_copy(update={"api": settings.api.model_copy(update=UNLIMITED)})
    async with running_app(unlimited) as app, api_client_for(app, unlimited, fund.accounts) as opened:
        yield opened


METHODS: Final = ("get", "post", "put", "delete")
ODD_JSON: Final = (HUGE, f"-{HUGE}", "1e999999", str(2**64), '"\\u0000"', '"\\ud800"', f'"{HUGE}"', "[" * 5_000, "[]", "null")
VALUES_OF_A_PLACE: Final = 3
"""Of the odd values, in turn: a parameter of many operations gets all of them."""
AN_ID: Final = "00000000-0000-4000-8000-000000000000"


def odd_requests(document: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Yield the method, path and body of requests with one odd value each, for every place of every operation."""
    in_text = cycle(quote(value.encode("utf-8", "surrogatepass")) for value in ODD_VALUES)
    in_json = cycle(ODD_JSON)
    for path, operations in document["paths"].items():
        plain = re.sub(r"\{\w+\}", AN_ID, path)
        for method in filter(operations.__contains__, METHODS):
            for target in _odd_targets(path, plain, operations[method].get("parameters", [])):
                yield from ((method, target.replace(ODD, next(in_text)), None) for _ in range(VALUES_OF_A_PLACE))
            for body in _odd_bodies(document, operations[method]):
                yield from ((method, plain, body.replace(ODD, next(in_json))) for _ in range(VALUES_OF_A_PLACE))


def _odd_targets(path: str, plain: str, parameters: list[dict[str, Any]]) -> list[str]:
    in_path = [
        re.sub(r"\{\w+\}", AN_ID, path.replace(f"{{{parameter['name']}}}", ODD))
        for parameter in parameters
        if parameter["in"] == "path"
    ]
    in_query = [f"{plain}?{parameter['name']}={ODD}" for parameter in parameters if parameter["in"] == "query"]
    return [*in_path, *in_query, f"{plain}?unknown={ODD}"]


def _odd_bodies(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    if "requestBody" not in operation:
        return []
    reference = operation["requestBody"]["content"]["application/json"]["schema"].get("$ref", "")
    schema = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
    return [ODD, *(f'{{"{field}":{ODD}}}' for field in schema.get("properties", {}))]


def without_names(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def served_operations() -> Counter[tuple[str, str]]:
    """Return how many requests this process has served, by method and route, of any status."""
    served = Counter[tuple[str, str]]()
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name == "paimon_http_requests_total":
                operation = (sample.labels["method"], without_names(f"/api/v1{sample.labels['route']}"))
                served[operation] += int(sample.value)
    return served


async def test_odd_values_are_the_senders_error_in_every_operation(unlimited_client: ApiClient) -> None:
    """Integers of thousands of digits, 2^63 and more, NUL, half of a surrogate: 400 or 404, never 500."""
    document = (await unlimited_client.client.get("/api/openapi.json")).json()
    before = served_operations()
    headers = unlimited_client.headers("ada") | {"Content-Type": "application/json"}
    statuses, failed = Counter[int](), []
    for method, target, body in odd_requests(document):
        answer = await unlimited_client.client.request(method, target, content=body, headers=headers)
        statuses[answer.status_code] += 1
        if answer.status_code >= 500 and "UNAVAILABLE" not in answer.text:
            failed.append(f"{answer.status_code} {method} {target[:120]} {body and body[:60]}")
    assert failed == []
    reached = served_operations() - before
    documented = {
        (method.upper(), without_names(path))
        for path, operations in document["paths"].items()
        for method in filter(operations.__contains__, METHODS)
    }
    assert documented <= reached.keys(), documented - reached.keys()
    assert 429 not in statuses, f"these requests were not served: {statuses}"
    assert statuses[400] > 1_000, f"these requests reach little: {statuses}"


@pytest.mark.parametrize("path", ["/auth/challenge", "/auth/verify", "/plans/preview", "/plans"])
async def test_odd_values_in_a_body_are_the_senders_error(api_client: ApiClient, path: str) -> None:
    headers = {"Authorization": f"Bearer {api_client.token('otto')}", "Content-Type": "application/json"}
    for value in (HUGE, "1e999999", "-" + HUGE, '"\\u0000"', '"\\ud800"', "[" * 5_000, "null", str(2**64), '"' + HUGE + '"'):
        for body in (value, f'{{"address":{value}}}', f'{{"message":{value},"signature":{value}}}', f'{{"nonce":{value}}}'):
            answer = await api_client.client.post(f"/api/v1{path}", content=body.encode(), headers=headers)
            assert 400 <= answer.status_code < 500, (answer.status_code, body[:80])


WHOLE_BODIES: Final[dict[str, dict[str, Any]]] = {
    "/api-keys": {"name": ODD, "permissions": ["read"], "days": 30},
    "/signed-actions": {"action": "settle_redemption", "resource": "/redemptions/1", "reason": ODD},
    "/plans/preview": {"key": ODD, "plan": "a plan", "calls": [], "reason": "a reason"},
    "/plans/preview?of=reason": {"key": "a key", "plan": "a plan", "calls": [], "reason": ODD},
    "/risk/events/1/acknowledge": {"note": ODD},
}
"""Bodies that are right but for one text, so that nothing else refuses them first."""


@pytest.mark.parametrize("odd", ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff!"])
async def test_text_that_no_column_holds_is_refused_in_a_whole_body(api_client: ApiClient, odd: str) -> None:
    headers = {"Authorization": f"Bearer {api_client.token('otto')}", "Content-Type": "application/json"}
    for path, body in WHOLE_BODIES.items():
        content = json.dumps(body).replace(ODD, odd)
        answer = await api_client.client.post(f"/api/v1{path}", content=content, headers=headers)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR"), (path, answer.text)
        assert "must not contain" in error["message"] + str(error.get("details")), (path, answer.text)


def test_no_query_declares_an_integer_without_a_bound(settings: Settings) -> None:
    """PostgreSQL's bigint ends at 2^63: a parameter that goes there needs a bound, and the others one that fits them."""
    unbounded: list[Any] = []
    for route in routes(settings):
        for parameter in route.dependant.query_params:
            schema = str(parameter.field_info.metadata)
            if parameter.field_info.annotation is int and "lt=" not in schema.lower() and "le=" not in schema.lower():
                unbounded.append((route.path, parameter.alias))
    assert unbounded == []
