"""A holder's statement: what must tie, and the money-weighted return against its own definition."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.snapshots import snapshot, token

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.report.document import ReportStatus
from paimon.domain.report.inputs import BoundingSnapshot
from paimon.domain.report.money_weighted import CashFlow, money_weighted_return
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.domain.report.statement import Movement, MovementKind, StatementInputs, holder_statement
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.vault.holder_register import RegisteredHolder

START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
WAD = 10**18


@pytest.mark.parametrize(
    ("flows", "expected"),
    [
        ([(timedelta(), -100), (YEAR, 110)], "0.10"),
        ([(timedelta(), -100), (2 * YEAR, 121)], "0.10"),
        ([(timedelta(), -100), (YEAR, 90)], "-0.10"),
        ([(timedelta(), -100), (YEAR, -100), (2 * YEAR, 231)], "0.10"),
        ([(timedelta(), -100), (YEAR, 60), (2 * YEAR, 55)], "0.10"),
        ([(timedelta(days=1), -100), (timedelta(), 0), (timedelta(days=366), 100)], "0"),
        ([(timedelta(), 100), (YEAR, 100)], None),
        ([(timedelta(), -100), (YEAR, 0)], None),
        ([(timedelta(), -100), (timedelta(), 110)], None),
        ([], None),
    ],
)
def test_the_money_weighted_return_is_the_rate_of_known_cases(flows: list[tuple[timedelta, int]], expected: str | None) -> None:
    found = money_weighted_return([CashFlow(START + after, amount) for after, amount in flows])
    assert found == (None if expected is None else pytest.approx(Decimal(expected), abs=Decimal("1e-8")))


@pytest.mark.parametrize("left", [100, 10**18 + 1])
def test_a_rate_of_nothing_has_no_sign(left: int) -> None:
    put_in = 100 if left == 100 else 10**18
    found = money_weighted_return([CashFlow(START, -put_in), CashFlow(START + YEAR, left)])
    assert str(found).lstrip("0.E-+8") == ""
    assert not str(found).startswith("-")


@given(
    st.lists(st.tuples(st.integers(0, 700), st.integers(1, 10**24)), min_size=1, max_size=8),
    st.integers(1, 10**25),
)
def test_at_the_money_weighted_return_the_flows_are_worth_nothing(put_in: list[tuple[int, int]], left: int) -> None:
    flows = [CashFlow(START + timedelta(days=day), -amount) for day, amount in put_in]
    flows.append(CashFlow(START + timedelta(days=730), left))
    found = money_weighted_return(flows)
    first = min(day for day, _amount in put_in)

    def worth(rate: float) -> float:
        paid = sum(amount / (1 + rate) ** ((day - first) / 365) for day, amount in put_in)
        return float(left / (1 + rate) ** ((730 - first) / 365) - paid)

    if found is None:
        assert worth(-0.9999) * worth(1_000) > 0
    else:
        assert worth(float(found) - 1e-6) * worth(float(found) + 1e-6) <= 0


# ------------------------------------------------------------------------------------------------------------ what must tie

PERIOD = ReportPeriod.containing(ReportKind.MONTHLY, date(2026, 3, 2))
HOLDER: Address = token(3)


def holding(shares: int, locked: int, claim: int) -> RegisteredHolder:
    return RegisteredHolder(HOLDER, RawAmount(shares), RawAmount(locked), RawAmount(claim), START)


MOVES = (
    Movement(MovementKind.DEPOSIT, START, 10, RawAmount(50), RawAmount(60)),
    Movement(MovementKind.RECEIVED, START, 11, RawAmount(7), RawAmount(8)),
    Movement(MovementKind.SENT, START, 12, RawAmount(5), RawAmount(6)),
    Movement(MovementKind.REQUESTED, START, 13, RawAmount(20), RawAmount(24), request_id=1),
    Movement(MovementKind.REQUESTED, START, 14, RawAmount(3), RawAmount(4), request_id=2),
    Movement(MovementKind.RETURNED, START, 15, RawAmount(3), RawAmount(4), request_id=2),
    Movement(MovementKind.PAID_OUT, START, 16, RawAmount(20), RawAmount(23), RawAmount(1), request_id=1),
)


def statement_inputs(closing: RegisteredHolder | None, *moves: Movement) -> StatementInputs:
    return StatementInputs(
        period=PERIOD,
        read_at=PERIOD.end,
        recorded_until=PERIOD.end,
        asset_decimals=18,
        holder=HOLDER,
        opening=BoundingSnapshot(snapshot(1), NavStatus.PUBLISHED),
        closing=BoundingSnapshot(snapshot(2_000), NavStatus.PUBLISHED),
        opening_holding=holding(100, 0, 0),
        closing_holding=closing,
        movements=moves,
    )


def test_every_balance_ties_with_its_movements_and_the_value_adds_up() -> None:
    found = holder_statement(statement_inputs(holding(132, 0, 0), *MOVES))
    assert (found.status, [check.holds for check in found.checks]) == (ReportStatus.FINAL, [True, True, True])
    values = {name: figure.value for name, figure in found.figures()}
    nav = snapshot(1).nav_per_share
    assert (values["value.opening"], values["value.closing"]) == (100 * nav // WAD, 132 * nav // WAD)
    assert (values["value.deposits"], values["value.received"], values["value.sent"]) == (60, 8, 6)
    assert (values["value.paidOut"], values["value.fees"]) == (23, 1)
    assert values["value.result"] == values["value.closing"] - values["value.opening"] - 60 - 8 + 6 + 23 + 1  # type: ignore[operator]


@pytest.mark.parametrize("forgotten", range(len(MOVES)))
def test_a_movement_that_is_missing_makes_a_draft(forgotten: int) -> None:
    moves = [each for place, each in enumerate(MOVES) if place != forgotten]
    found = holder_statement(statement_inputs(holding(132, 0, 0), *moves))
    assert found.status is ReportStatus.DRAFT
    assert any(not check.holds for check in found.checks)


def test_a_holder_that_has_left_is_worth_nothing_and_a_balance_without_movements_is_a_draft() -> None:
    gone = Movement(MovementKind.SENT, START, 12, RawAmount(100), RawAmount(100))
    found = holder_statement(statement_inputs(None, gone))
    assert found.status is ReportStatus.FINAL
    assert dict(found.figures())["value.closing"].value == 0
    assert holder_statement(statement_inputs(None)).status is ReportStatus.DRAFT
