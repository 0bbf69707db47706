"""Tests of text that no column or response can hold: it is refused by name, and no text at all is an unexpected error."""

import json
from typing import Any, Final
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.support.api_client import ApiClient

from paimon.gateway.rest.app import create_app
from paimon.settings import Settings

pytestmark = pytest.mark.integration

SIGNED_IN: Final = "vera"
"""An admin, whom no permission keeps from a rule about text."""

PLAN: Final = {"key": "k", "plan": "p", "calls": [], "reason": "r"}


def call_with(arguments: str) -> bytes:
    return (
        b'{"key":"k","plan":"p","reason":"r","calls":[{"contract":"Vault","function":"pause","arguments":'
        + arguments.encode()
        + b"}]}"
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (call_with(r'{"\ud800":"x"}'), r"calls.arguments.\ud800"),
        (call_with(r'{"a":"\udfff"}'), "calls.arguments.a"),
        (call_with(r'{"a\u0000b":"x"}'), "calls.arguments.a\0b"),
        (call_with(r'{"a":"\u0000"}'), "calls.arguments.a"),
        (json.dumps(PLAN | {"plan": "a\0b"}).encode(), "plan"),
        (json.dumps(PLAN | {"\ud800": 1}).encode(), r"\ud800"),
        ('{"key":"\ud800"}'.encode("utf-8", "surrogatepass"), "key"),
    ],
)
async def test_body_with_invalid_text_is_refused_by_field(api_client: ApiClient, body: bytes, field: str) -> None:
    headers = {"Authorization": f"Bearer {api_client.token(SIGNED_IN)}", "Content-Type": "application/json"}
    answer = await api_client.client.post("/api/v1/plans/preview", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


@pytest.mark.parametrize(
    ("path", "field"),
    [("/plans?plan=a%00b", "plan"), ("/chain/transactions?event=%00", "event"), ("/approvals/TKT-%00", "ticketId")],
)
async def test_url_with_nul_is_refused_by_parameter(api_client: ApiClient, path: str, field: str) -> None:
    headers = {"Authorization": f"Bearer {api_client.token(SIGNED_IN)}"}
    answer = await api_client.client.get(f"/api/v1{path}", headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["details"] == [{"field": field, "message": "must not contain a NUL character"}]


TEXTS: Final = st.one_of(
    st.text(st.characters(), max_size=12),  # surrogates too
    st.sampled_from(["", "\0", "a\0b", "\ud800", "x\udfff", "1" * 30, "-1", "0", "1e400", "%", "NaN", "٣", "0x" + "00" * 20]),
)
NUMBERS: Final = st.one_of(st.integers(), st.sampled_from([2**31, 2**63, 2**64, 2**256, -(2**63) - 1, 10**400]), st.floats())
JSON: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture
def endpoints(settings: Settings) -> list[tuple[str, APIRoute]]:
    """Return every endpoint of the API with its whole path."""
    contexts = iter_route_contexts(create_app(settings).routes)
    return [(str(context.path), route) for context in contexts if isinstance(route := context.original_route, APIRoute)]


def draw_path(data: st.DataObject, path: str, route: APIRoute) -> str:
    """Fill the path with texts or plain numbers. An empty text would name another endpoint."""
    for parameter in route.dependant.path_params:
        value = data.draw(st.one_of(TEXTS.filter(bool), st.just("1"), st.just("TKT-R000001")))
        for template in ("{" + parameter.alias + "}", "{" + parameter.alias + ":path}"):
            path = path.replace(template, encoded(value))
    return path


def encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def query_names(dependant: Any) -> list[str]:
    names = [parameter.alias for parameter in dependant.query_params]
    return names + [name for inner in dependant.dependencies for name in query_names(inner)]


def draw_query(data: st.DataObject, route: APIRoute) -> str:
    names = query_names(route.dependant)
    name = st.one_of(st.sampled_from(names), TEXTS) if names else TEXTS
    pairs = data.draw(st.lists(st.tuples(name, TEXTS), max_size=2))
    return "&".join(f"{encoded(key)}={encoded(value)}" for key, value in pairs)


def draw_body(data: st.DataObject, route: APIRoute) -> bytes:
    """Draw JSON for the body's own fields, with other fields now and then, or any JSON at all."""
    assert route.body_field is not None
    fields = route.body_field.field_info.annotation.model_fields  # type: ignore[union-attr]
    own = st.fixed_dictionaries({}, optional={field.alias or name: JSON for name, field in fields.items()})
    own_and_other = st.builds(dict.__or__, own, st.dictionaries(TEXTS, JSON, max_size=1))
    return json.dumps(data.draw(st.one_of(own, own_and_other, JSON))).encode()


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300, deadline=None
)
@given(data=st.data())
async def test_no_text_of_a_request_is_an_unexpected_error(
    api_client: ApiClient, endpoints: list[tuple[str, APIRoute]], data: st.DataObject
) -> None:
    path, route = data.draw(st.sampled_from(endpoints))
    method = min(route.methods or {"GET"})
    url, query = draw_path(data, path, route), draw_query(data, route)
    headers = {"Authorization": f"Bearer {api_client.token(SIGNED_IN)}", "Content-Type": "application/json"}
    content = None if route.body_field is None else draw_body(data, route)
    answer = await api_client.client.request(method, f"{url}?{query}", content=content, headers=headers)
    assert answer.status_code < 500 or answer.status_code == 503, (method, url, query, content, answer.text)
    is_page = path.startswith(("/api/docs", "/console")) or path == "/"  # whose errors are the API's all the same
    is_file = answer.headers.get("Content-Type", "").startswith("text/csv") or (is_page and not answer.is_client_error)
    assert is_file or answer.json() is not None
