"""What a proposal is now: by its owners' consent, by time, and by what the chain shows at its nonce."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import ADDRESSES, EPOCH

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.safe_proposal import (
    Execution,
    MissingExecutions,
    Outcome,
    ProposalStatus,
    SafeView,
    Tally,
    by_nonce,
    outcome_of,
    status_of,
    tally,
)

pytestmark = pytest.mark.unit

LATER = EPOCH + timedelta(hours=1)
OWNERS = st.lists(ADDRESSES, min_size=1, max_size=5, unique=True)
OURS, REJECTION, OTHER, TX = (Hash32(bytes([number]) * 32) for number in range(4))


def counted(reached: bool) -> Tally:
    return Tally((Address(bytes(20)),) if reached else (), (), (), 1)


@given(OWNERS, st.sets(ADDRESSES, max_size=5), st.data())
def test_only_present_owners_count_and_each_is_told_of_once(
    owners: list[Address], strangers: set[Address], data: st.DataObject
) -> None:
    signed = data.draw(st.sets(st.sampled_from(owners))) | strangers
    found = tally(signed, SafeView(tuple(owners), 2, 0))
    assert set(found.counting) == signed & set(owners)
    assert set(found.void) == signed - set(owners)
    assert sorted((*found.counting, *found.missing)) == sorted(owners)
    assert found.is_reached == (len(signed & set(owners)) >= 2)


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize("outcome", Outcome)
def test_what_the_chain_did_is_the_last_word(outcome: Outcome, reached: bool) -> None:
    found = status_of(outcome, counted(reached), is_executing=True, expires_at=EPOCH, now=LATER)
    assert found is ProposalStatus(outcome)


@pytest.mark.parametrize(
    ("reached", "is_executing", "expired", "status"),
    [
        (False, False, False, ProposalStatus.COLLECTING),
        (True, False, False, ProposalStatus.READY),
        (True, False, True, ProposalStatus.EXPIRED),
        (False, False, True, ProposalStatus.EXPIRED),
        (True, True, False, ProposalStatus.EXECUTING),
        (True, True, True, ProposalStatus.EXECUTING),
    ],
)
def test_an_open_proposal(reached: bool, is_executing: bool, expired: bool, status: ProposalStatus) -> None:
    now = LATER if expired else LATER - timedelta(microseconds=1)
    assert status_of(None, counted(reached), is_executing=is_executing, expires_at=LATER, now=now) is status


@pytest.mark.parametrize(
    ("executed", "succeeded", "outcome"),
    [
        (OURS, True, Outcome.EXECUTED),
        (OURS, False, Outcome.FAILED),
        (REJECTION, True, Outcome.REJECTED),
        (OTHER, True, Outcome.SUPERSEDED),
        (OTHER, False, Outcome.SUPERSEDED),
    ],
)
def test_a_proposal_ends_by_what_used_its_nonce(executed: Hash32, succeeded: bool, outcome: Outcome) -> None:
    assert outcome_of(OURS, Execution(executed, succeeded, TX), rejection=REJECTION) is outcome


def test_the_rejection_itself_is_executed() -> None:
    assert outcome_of(REJECTION, Execution(REJECTION, True, TX), rejection=REJECTION) is Outcome.EXECUTED


@given(st.integers(0, 100), st.lists(st.binary(min_size=32, max_size=32).map(Hash32), max_size=5))
def test_executions_take_the_nonces_in_turn(before: int, hashes: list[Hash32]) -> None:
    executions = [Execution(each, True, TX) for each in hashes]
    found = by_nonce(executions, before=before, now=before + len(hashes))
    assert [found[nonce].hash for nonce in range(before, before + len(hashes))] == hashes


@given(st.integers(0, 5), st.integers(0, 5))
def test_logs_that_do_not_explain_the_nonce_decide_nothing(logged: int, advanced: int) -> None:
    executions = [Execution(OURS, True, TX)] * logged
    if logged == advanced:
        assert len(by_nonce(executions, before=7, now=7 + advanced)) == logged
        return
    with pytest.raises(MissingExecutions):
        by_nonce(executions, before=7, now=7 + advanced)
