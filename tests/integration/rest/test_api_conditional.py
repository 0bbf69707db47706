"""Tests of ETag, If-None-Match and Allow on the running API."""

from typing import Any, Final

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from tests.integration.rest.test_api_head import filled
from tests.support.api_client import UNLIMITED, ApiClient, api_client_for, running_app
from tests.support.chain.fund import TestFund
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.composition import AppContext
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.rest.app import create_app
from paimon.settings import Settings

pytestmark = pytest.mark.integration

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


async def get(api_client: ApiClient, path: str, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {api_client.token('willa')}"} | headers
    return await api_client.client.get(f"/api/v1{path}", headers=sent)


async def test_same_data_is_not_sent_twice(app_context: AppContext, fund: TestFund, api_client: ApiClient) -> None:
    """From the cache and from the database, now and as of a block: 304 until the data is another."""
    activity = FundActivity(fund)
    documents = FundDocuments(app_context.database, app_context.redis)
    taken = await snapshot_now(app_context, fund)
    await documents.publish_overview(previous=None)
    tags = {}
    for path in ("/fund/overview", f"/fund/overview?block={taken.at.number}", "/fund/nav/history"):
        first = await get(api_client, path)
        assert (first.status_code, first.headers["Cache-Control"]) == (200, "private, no-cache"), path
        tags[path] = first.headers["ETag"]
        same = await get(api_client, path, **{"If-None-Match": tags[path]})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tags[path]), path
        assert same.headers["Cache-Control"] == "private, no-cache"
        assert "Content-Type" not in same.headers
        assert (await get(api_client, path, **{"If-None-Match": '"another"'})).json()["data"] == first.json()["data"]
    newest = tags["/fund/overview"]
    await app_context.redis.client.flushall()
    assert (await get(api_client, "/fund/overview", **{"If-None-Match": newest})).status_code == 304, "read from the database"
    activity.deposit("isla", 60_000)
    await snapshot_now(app_context, fund)
    await documents.publish_overview(previous=None)
    changed = await get(api_client, "/fund/overview", **{"If-None-Match": newest})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != newest
    of_block = f"/fund/overview?block={taken.at.number}"
    assert (await get(api_client, of_block, **{"If-None-Match": tags[of_block]})).status_code == 304, "the past stays"


async def test_conditions_never_hide_an_error_or_a_file(app_context: AppContext, fund: TestFund, api_client: ApiClient) -> None:
    await snapshot_now(app_context, fund)
    anonymous = await api_client.client.get("/api/v1/fund/overview", headers={"If-None-Match": "*"})
    assert anonymous.status_code == 401
    assert (await get(api_client, "/fund/overview?block=999999", **{"If-None-Match": "*"})).status_code == 400
    assert (await get(api_client, "/fund/overview", **{"If-None-Match": "*"})).status_code == 304
    file = await get(api_client, "/fund/nav/history", **{"If-None-Match": "*", "Accept": "text/csv"})
    assert (file.status_code, file.headers["Content-Type"][:8]) == (200, "text/csv")
    assert "ETag" not in file.headers


async def test_a_list_of_tags_may_be_sent_in_several_lines(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    await snapshot_now(app_context, fund)
    tag = (await get(api_client, "/fund/overview")).headers["ETag"]
    lines = [("If-None-Match", '"a"'), ("If-None-Match", f'"b", {tag}'), ("If-None-Match", '"c"')]
    token = ("Authorization", f"Bearer {api_client.token('willa')}")
    answer = await api_client.client.get("/api/v1/fund/overview", headers=[token, *lines])
    assert answer.status_code == 304


async def test_other_methods_of_every_path_get_405_with_the_allowed_ones(settings: Settings, fund: TestFund) -> None:
    """Two routes may share a path: the header names the methods of both."""
    allowed: dict[str, set[str]] = {}
    unlimited = settings.model_copy(update={"api": settings.api.model_copy(update=UNLIMITED)})
    for context in iter_route_contexts(create_app(unlimited).routes):
        if isinstance(route := context.original_route, APIRoute):
            path = filled(str(context.path))
            allowed.setdefault(path, set()).update(route.methods or ())
    assert allowed["/api/v1/plans"] == {"GET", "POST"}
    checked = 0
    async with running_app(unlimited) as app, api_client_for(app, unlimited, fund.accounts) as unlimited_client:
        for path, methods in allowed.items():
            others = [allowed[other] for other in allowed if other != path and same_shape(path, other)]
            for method in set(METHODS) - methods - set().union(*others):
                answer = await unlimited_client.client.request(method, path)
                assert answer.status_code == 405, (method, path)
                assert answer.json()["error"] == {"code": "METHOD_NOT_ALLOWED", "message": f"{method} is not allowed here"}
                expected = methods | ({"HEAD"} if "GET" in methods else set())
                assert set(answer.headers["Allow"].split(", ")) >= expected, path
                checked += 1
    assert checked > 200


def same_shape(path: str, other: str) -> bool:
    """Return whether a parameter of one path may stand for the last part of the other: /plans/{planId} and /plans/preview."""
    return path.rsplit("/", 1)[0] == other.rsplit("/", 1)[0]
