"""Users and their rights over REST: what one may do now, and why a right is missing."""

from typing import Any

import httpx
import pytest
from tests.support.api_client import ApiClient, grant_approver_role, require_example
from tests.support.chain.fund import TestFund
from tests.support.sign_in import call, outcome, sign_in
from tests.support.signed_grants import grant

from paimon.domain.user.roles import Permission, UserRole
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

VIP_APPROVER = {"contract": "RedemptionManager", "role": "VIP_APPROVER_ROLE"}


async def missing(api_client: ApiClient, name: str) -> dict[str, list[str]]:
    """Return the reasons for each right, as the person sees them."""
    answer = await api_client.get("/me", by=name)
    return {right["permission"]: right["missing"] for right in answer.json()["data"]["rights"]}


async def test_person_sees_their_rights_and_why_one_is_missing(
    api_client: ApiClient, database: Database, fund: TestFund
) -> None:
    answer = await api_client.get("/me", by="vera")
    require_example(answer, "own_rights")
    chain = "this needs VIP_APPROVER_ROLE on the RedemptionManager, which the person does not hold at the last recorded block"
    assert (await missing(api_client, "vera"))["decide_approval"] == [chain]
    await grant_approver_role(database, api_client.accounts, "vera", "otto")
    assert (await missing(api_client, "vera"))["decide_approval"] == []
    role = "this needs the role admin or above; the person is operator"
    assert (await missing(api_client, "otto"))["decide_approval"] == [role], "the role on chain alone gives nothing"
    assert (await missing(api_client, "willa"))["settle"] == ["this needs the role operator or above; the person is viewer"]

    given, taken = frozenset({Permission.SETTLE}), frozenset({Permission.HANDLE_RISK})
    await grant(database, fund, "willa", UserRole.OPERATOR, granted=given, denied=taken)
    reasons = await missing(api_client, "willa")
    assert (reasons["settle"], reasons["handle_risk"]) == ([], ["handle_risk is denied to this person by a grant"])
    refused = await api_client.post("/risk/events/1/acknowledge", by="willa")
    assert outcome(refused) == (403, "FORBIDDEN"), refused.text


async def test_users_are_listed_with_their_roles_and_grants(api_client: ApiClient, database: Database) -> None:
    await grant_approver_role(database, api_client.accounts, "vera")
    answer = await api_client.get("/users")
    require_example(answer, "users")
    found = {user["name"]: (user["role"], user["chainRoles"]) for user in answer.json()["data"]["items"]}
    assert found["vera"] == ("admin", [VIP_APPROVER])
    assert found["ada"][0] == "super_admin"
    assert [user["name"] for user in answer.json()["data"]["items"] if user["isFirst"]] == ["ada"], "no grant changes her"
    detail = await api_client.get(f"/users/{api_client.accounts.address('vera')}")
    require_example(detail, "user")
    (made,) = detail.json()["data"]["grants"]
    assert (made["role"], made["grantedBy"]) == ("admin", api_client.accounts.address("ada"))
    unknown = await api_client.get(f"/users/{api_client.accounts.address('ines')}")
    assert outcome(unknown) == (404, "NOT_FOUND")


def signed_terms(api_client: ApiClient, document: dict[str, Any], *, by: str = "ada") -> dict[str, str]:
    """Sign a grant's document, and return what a wallet adds to the change."""
    signature = api_client.accounts.account(by).sign_typed_data(full_message=document).signature
    message = document["message"]
    return {"nonce": message["nonce"], "expiresAt": message["expiresAt"], "signature": "0x" + bytes(signature).hex()}


async def change_user(api_client: ApiClient, change: dict[str, Any], *, by: str = "ada", **others: Any) -> httpx.Response:
    """Fetch the grant of a change, sign it, and send the change, or `others` than were signed; return a refusal as it is."""
    preview = await api_client.post("/users/preview", change, by=by)
    if not preview.is_success:
        return preview
    data = preview.json()["data"]
    signed = signed_terms(api_client, data["typedData"], by=by)
    return await api_client.post(data["submitTo"], {**change, **signed, **others}, by=by)


async def test_super_admin_adds_changes_and_removes_a_user_by_signatures(api_client: ApiClient) -> None:
    ines = api_client.accounts.address("ines")
    change: dict[str, Any] = {"address": ines, "role": "viewer", "name": "Ines", "granted": ["settle"], "denied": []}
    preview = await api_client.post("/users/preview", change, by="ada")
    require_example(preview, "user_grant")
    assert preview.json()["data"]["statement"] == f"Let {ines} (Ines) sign in as viewer, with settle"
    assert outcome(await api_client.get("/me", by="ines")) == (401, "AUTH_INVALID")
    added = await change_user(api_client, change)
    require_example(added, "user_changed")
    assert added.json()["data"]["user"]["granted"] == ["settle"]
    assert (await missing(api_client, "ines"))["settle"] == []
    change = {"address": ines, "role": "operator", "name": "Ines"}
    assert (await change_user(api_client, change)).json()["data"]["user"]["role"] == "operator"
    removed = await change_user(api_client, {"address": ines, "role": None})
    assert removed.json()["data"] == {"address": ines, "user": None}
    assert outcome(await api_client.get("/me", by="ines")) == (401, "AUTH_INVALID")
    assert outcome(await change_user(api_client, {"address": ines, "role": None})) == (404, "NOT_FOUND")


async def test_change_of_a_user_is_refused_unless_a_super_admin_signed_it(api_client: ApiClient) -> None:
    ines, ada = (api_client.accounts.address(name) for name in ("ines", "ada"))
    change = {"address": ines, "role": "viewer", "name": "Ines"}
    for name in ("vera", "otto", "willa"):
        assert outcome(await change_user(api_client, change, by=name)) == (403, "FORBIDDEN")
        assert outcome(await api_client.post("/users", change, by=name)) == (403, "FORBIDDEN")
    assert outcome(await change_user(api_client, change, role="super_admin")) == (403, "FORBIDDEN"), "another than was signed"
    assert outcome(await change_user(api_client, {**change, "address": ada})) == (409, "CONFLICT")
    refused = await change_user(api_client, {**change, "granted": ["manage_users"]})
    assert outcome(refused) == (400, "VALIDATION_ERROR"), refused.text
    first = (await api_client.post("/users/preview", change, by="ada")).json()["data"]["typedData"]
    assert (await change_user(api_client, {**change, "address": api_client.accounts.address("keeper")})).is_success
    late = {**change, **signed_terms(api_client, first)}
    assert outcome(await api_client.post("/users", late, by="ada")) == (403, "FORBIDDEN"), "another grant came between"
    assert outcome(await api_client.get("/me", by="ines")) == (401, "AUTH_INVALID")


async def test_only_a_super_admin_sees_and_ends_the_sessions_of_others(api_client: ApiClient) -> None:
    path = f"/users/{api_client.accounts.address('otto')}/sessions"
    tokens = {name: (await sign_in(api_client, name)).json()["data"]["accessToken"] for name in ("ada", "vera", "otto")}
    for name in ("vera", "otto"):
        for method in ("GET", "DELETE"):
            assert outcome(await call(api_client, method, path, tokens[name])) == (403, "FORBIDDEN")
    shown = await call(api_client, "GET", path, tokens["ada"])
    require_example(shown, "user_sessions")
    ended = await call(api_client, "DELETE", path, tokens["ada"])
    require_example(ended, "user_sessions_ended")
    assert ended.json()["data"]["ended"] == len(shown.json()["data"]["items"])
    assert outcome(await call(api_client, "GET", "/me", tokens["otto"])) == (401, "AUTH_INVALID")
