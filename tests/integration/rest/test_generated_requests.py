"""Requests that schemathesis makes from the whole OpenAPI document, as each role: no 5xx, and no answer that is not documented.

Half of them fit the document, half break one rule of it. `GENERATED_REQUESTS=200` makes more of each endpoint.
"""

import asyncio
import copy
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from tests.support.api_client import UNLIMITED, seed_users
from tests.support.api_server import ApiServer, running_api_server
from tests.support.chain.fund import TestFund
from tests.support.scenarios.fund_activity import snapshot_now

from paimon.application.deployment.examine import examine_contracts
from paimon.composition import AppContext
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration

Operation = APIOperation[Any, Any, Any, Any]

REQUESTS: Final = int(os.environ.get("GENERATED_REQUESTS", "1"))
"""Requests of each endpoint, role and kind."""

SEED: Final = int(os.environ.get("GENERATED_SEED", "7"))

load_all_checks()
_CHECKS: Final[list[Any]] = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)

_END_SESSIONS: Final = frozenset({"signOut", "endAllSessions", "endSession"})
"""Come last: afterwards the person is signed out."""


@pytest.fixture
async def server(
    settings: Settings, fund: TestFund, database: Database, app_context: AppContext, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund)
    await snapshot_now(app_context, fund)
    assert await examine_contracts(app_context.database, app_context.contracts) is not None
    changed = settings.model_copy(update={"api": settings.api.model_copy(update=UNLIMITED)})
    async with running_api_server(changed, fund, eventually) as opened:
        yield opened


def operations(document: dict[str, Any]) -> list[Operation]:
    found = []
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok), result.err()
        found.append(result.ok())
    return sorted(found, key=lambda operation: operation.definition.raw["operationId"] in _END_SESSIONS)


def faults_of(
    operation: Operation,
    mode: GenerationMode,
    *,
    base_url: str,
    headers: dict[str, str],
    statuses: Counter[int],
) -> list[str]:
    """Send requests of one endpoint, count the answers by status, and return what is wrong with them."""
    found: dict[str, str] = {}

    @seed(SEED)
    @hypothesis_settings(
        max_examples=REQUESTS,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Case[Any]) -> None:
        case.headers.pop("Authorization", None)
        response = case.call(base_url=base_url, headers=headers, timeout=60)
        statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=_CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                found.setdefault(type(failure).__name__, f"{operation.label}: {failure}"[:3_000])

    with suppress(Unsatisfiable):  # nothing of the request can break a rule
        send()
    return list(found.values())


@pytest.mark.parametrize("name", [None, "willa", "otto", "vera", "ada"])
async def test_generated_requests_get_documented_answers(server: ApiServer, name: str | None) -> None:
    headers = {} if name is None else server.api_client.headers(name)
    base_url, statuses = f"http://127.0.0.1:{server.port}", Counter[int]()

    def send_all() -> list[str]:
        return [
            fault
            for operation in operations(server.app.openapi())
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            for fault in faults_of(operation, mode, base_url=base_url, headers=headers, statuses=statuses)
        ]

    faults = await asyncio.to_thread(send_all)
    assert not faults, "\n\n".join(faults)
    assert {200, 400, 401 if name is None else 404} <= statuses.keys(), f"these requests reach little: {statuses}"


async def test_answer_that_is_not_documented_is_found(server: ApiServer) -> None:
    """The document says nothing of a success, or says that it is another."""
    document = copy.deepcopy(server.app.openapi())
    listed = document["paths"]["/api/v1/users"]["get"]["responses"]
    config = document["paths"]["/api/v1/system/config"]["get"]["responses"]
    del listed["200"]
    config["200"]["content"]["application/json"]["schema"] = {"type": "array"}
    found = {}
    for operation in operations(document):
        if operation.method.lower() == "get" and operation.path in ("/api/v1/users", "/api/v1/system/config"):
            found[operation.path] = await asyncio.to_thread(
                faults_of,
                operation,
                GenerationMode.POSITIVE,
                base_url=f"http://127.0.0.1:{server.port}",
                headers=server.api_client.headers("ada"),
                statuses=Counter[int](),
            )
    assert "Undocumented status code" in "".join(found["/api/v1/users"])
    assert "schema" in "".join(found["/api/v1/system/config"])
