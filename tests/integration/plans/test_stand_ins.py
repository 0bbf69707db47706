"""Stand-ins on a real PostgreSQL: a signature counts in the person's place, of a pair once, never on the pair's own plan."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from tests.integration.plans.test_plan_tickets import COLD, slippage_plan
from tests.support.scenarios.plans import PlanHarness, account_of
from tests.support.signed_grants import grant

from paimon.application.approval_tickets.stand_ins import find_pairs, list_stand_ins
from paimon.application.approval_workflow.name_stand_in import NameStandIn, end_stand_in, name_stand_in, propose_end
from paimon.application.common.contract_wallets import ContractWallets
from paimon.application.common.signed_action import SignedAction, SignerMismatch
from paimon.application.identity.accept_action import SignedRequest, SigningContext
from paimon.domain.approval.stand_in import Pair, Period, StandIn, StandInTaken
from paimon.domain.approval.ticket import TicketStatus, Verdict, VoterNotAllowed
from paimon.domain.kernel.chain import Address, hex0x, parse_address
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.clock import database_now

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = COLD


def address_of(harness: PlanHarness, who: str | int) -> Address:
    return parse_address(account_of(harness.fund, who).address)


def signing(harness: PlanHarness) -> SigningContext:
    context = harness.context
    wallets = ContractWallets(context.contracts.rpc, context.safe_context.chain)
    return SigningContext(context.database, context.signing_rules, wallets)


async def give_role(harness: PlanHarness, who: str | int, role: UserRole | None) -> None:
    await grant(harness.context.database, harness.fund, str(who), role, address=address_of(harness, who))


async def name(
    harness: PlanHarness,
    person: str | int,
    stand_in: str | int,
    *,
    starts: timedelta = timedelta(0),
    by: str | int | None = None,
) -> StandIn:
    """Name a stand-in for a day; `by` is who signs, if it is not the person."""
    rules = harness.context.signing_rules
    async with harness.context.database.read() as session:
        now = (await database_now(session)).replace(microsecond=0)
    start = now + starts
    pair = Pair(address_of(harness, person), address_of(harness, stand_in), Period(start, start + timedelta(days=1)))
    terms = rules.new_terms(now)
    document = pair.content().document("on leave", terms, rules.scope)
    signature = account_of(harness.fund, person if by is None else by).sign_typed_data(full_message=document).signature
    user = User(pair.person, UserRole.ADMIN, str(person))
    command = NameStandIn(pair, user, "on leave", SignedAction(terms, hex0x(bytes(signature))))
    return await name_stand_in(command, signing(harness), harness.context.contracts.rpc)


async def end(harness: PlanHarness, stand_in: StandIn, by: str | int) -> datetime:
    """End it, and return when it ended."""
    context, user = signing(harness), User(address_of(harness, by), UserRole.ADMIN, str(by))
    async with context.database.write() as session:
        proposed = await propose_end(session, stand_in.id, user)
        terms = context.rules.new_terms(await database_now(session))
    document = proposed.content.document("back again", terms, context.rules.scope)
    signature = account_of(harness.fund, by).sign_typed_data(full_message=document).signature
    request = SignedRequest(user, "back again", SignedAction(terms, hex0x(bytes(signature))))
    ended_at = (await end_stand_in(stand_in.id, request, context)).ended_at
    assert ended_at is not None
    return ended_at


async def test_stand_ins_signature_counts_in_the_persons_place_for_its_time(plan_harness: PlanHarness) -> None:
    await give_role(plan_harness, "vera", UserRole.ADMIN)
    for owner in (SECOND, THIRD):
        await give_role(plan_harness, owner, UserRole.OPERATOR)
    plan = await slippage_plan(plan_harness)
    assert (await plan_harness.owner_signs(plan, FIRST)).status is TicketStatus.PARTIALLY_APPROVED
    stand_in = await name(plan_harness, "vera", SECOND)
    assert (await plan_harness.owner_signs(plan, SECOND, THIRD)).status is TicketStatus.APPROVED, "one admin, and one's place"
    await end(plan_harness, stand_in, "vera")
    assert (await plan_harness.review(plan)).status is TicketStatus.PARTIALLY_APPROVED


async def test_person_and_stand_in_count_once(plan_harness: PlanHarness) -> None:
    await give_role(plan_harness, THIRD, UserRole.OPERATOR)
    plan = await slippage_plan(plan_harness)
    assert (await plan_harness.owner_signs(plan, *COLD)).status is TicketStatus.APPROVED, "two admins"
    await name(plan_harness, FIRST, SECOND)
    assert (await plan_harness.review(plan)).status is TicketStatus.PARTIALLY_APPROVED, "of a pair one counts"


@pytest.mark.parametrize("signs_after", [(), (SECOND,), (FIRST,)])
async def test_pair_counts_once_after_its_time(plan_harness: PlanHarness, signs_after: tuple[int, ...]) -> None:
    await give_role(plan_harness, THIRD, UserRole.OPERATOR)
    plan = await slippage_plan(plan_harness)
    stand_in = await name(plan_harness, FIRST, SECOND)
    await plan_harness.owner_signs(plan, *(owner for owner in COLD if owner not in signs_after))
    await end(plan_harness, stand_in, SECOND)
    if signs_after:
        await plan_harness.owner_signs(plan, *signs_after)
    assert (await plan_harness.review(plan)).status is TicketStatus.PARTIALLY_APPROVED, "two admins, who were one"


async def test_person_who_signed_keeps_no_one_from_a_rejection(plan_harness: PlanHarness) -> None:
    plan = await slippage_plan(plan_harness)
    await plan_harness.owner_signs(plan, FIRST)
    await name(plan_harness, FIRST, SECOND)
    assert (await plan_harness.vote(plan, SECOND, Verdict.REJECT)).status is TicketStatus.REJECTED


async def test_lost_role_of_the_person_ends_what_was_lent(plan_harness: PlanHarness) -> None:
    await give_role(plan_harness, "vera", UserRole.ADMIN)
    for owner in (SECOND, THIRD):
        await give_role(plan_harness, owner, UserRole.OPERATOR)
    await name(plan_harness, "vera", SECOND)
    plan = await slippage_plan(plan_harness)
    await plan_harness.owner_signs(plan, FIRST, SECOND)
    await name(plan_harness, FIRST, THIRD, starts=timedelta(hours=1))  # later: lends nothing yet
    await give_role(plan_harness, "vera", UserRole.VIEWER)
    assert (await plan_harness.review(plan)).status is TicketStatus.PARTIALLY_APPROVED


async def test_requesters_stand_in_approves_nothing_of_the_requester(plan_harness: PlanHarness) -> None:
    plan = await slippage_plan(plan_harness)  # otto asks for it
    await plan_harness.owner_signs(plan, FIRST, SECOND)
    await give_role(plan_harness, "otto", UserRole.ADMIN)
    await name(plan_harness, "otto", THIRD)
    with pytest.raises(VoterNotAllowed, match="shares"):
        await plan_harness.owner_signs(plan, THIRD)
    assert (await plan_harness.ticket(plan)).status is TicketStatus.PARTIALLY_APPROVED


async def test_requesters_former_stand_in_approves_nothing_asked_for_in_that_time(plan_harness: PlanHarness) -> None:
    await give_role(plan_harness, "otto", UserRole.ADMIN)
    stand_in = await name(plan_harness, "otto", THIRD)
    plan = await slippage_plan(plan_harness)  # otto asks for it
    await end(plan_harness, stand_in, THIRD)
    with pytest.raises(VoterNotAllowed, match="shares"):
        await plan_harness.owner_signs(plan, THIRD)
    later = await slippage_plan(plan_harness, key="plan-2")
    assert (await plan_harness.owner_signs(later, THIRD)).approvals == 1, "what was asked for afterwards"


async def test_row_that_the_person_did_not_sign_lends_nothing(plan_harness: PlanHarness) -> None:
    await give_role(plan_harness, "vera", UserRole.ADMIN)
    with pytest.raises(SignerMismatch):
        await name(plan_harness, "vera", SECOND, by=SECOND)
    database, scope = plan_harness.context.database, plan_harness.context.signing_rules.scope
    forged = text(
        "INSERT INTO ops.stand_ins (person, stand_in, starts_at, ends_at, reason, nonce)"
        " SELECT signer, :stand_in, now(), now() + interval '1 day', 'on leave', nonce FROM ops.signed_actions RETURNING id"
    )
    async with database.write() as session:  # as the API's role, under every signature that there is
        added = await session.execute(forged, {"stand_in": address_of(plan_harness, SECOND)})
        assert len(added.all()) > 1
    async with database.read() as session:
        assert await list_stand_ins(session, scope) == []
        pairs = await find_pairs(session, scope, await database_now(session))
    assert pairs.person_of(address_of(plan_harness, SECOND)) is None
    await name(plan_harness, "vera", FIRST)  # nor does it keep others from theirs


async def test_two_names_at_once_leave_no_one_in_two_pairs(plan_harness: PlanHarness) -> None:
    """Without the lock of `name_stand_in` both are recorded."""
    results = await asyncio.gather(name(plan_harness, FIRST, SECOND), name(plan_harness, SECOND, THIRD), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["StandIn", "StandInTaken"]
    with pytest.raises(StandInTaken):
        await name(plan_harness, THIRD, FIRST)
