"""What `paimon outbox` and `paimon quarantine` share: who asks, and how a decision is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

import typer

from paimon.application.identity.users import NotPermitted, find_user
from paimon.application.quarantine.store import LogNotFound, OutboxMessageNotFound, Target
from paimon.application.quarantine.submit_decision import SubmitDecision, submit_decision
from paimon.domain.kernel.chain import InvalidAddress, checksum, parse_address
from paimon.domain.risk.operator_decision import DecisionNotPossible, OperatorDecisionKind
from paimon.gateway.cli.process import exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.infrastructure.database import version
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

DecidedBy = Annotated[str, typer.Option(help="Who decides: the address of a user of this house.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads of it later.")]

SHOWN_MAX: Final = 50


@asynccontextmanager
async def opened_current_database(settings: Settings) -> AsyncIterator[Database]:
    """The database, at this version's migrations."""
    async with opened_database(settings, process="remedies") as database:
        await version.require_current(database.engine)
        yield database


async def record_decision(
    settings: Settings, kind: OperatorDecisionKind, target: Target, *, by: str, reason: str
) -> OperatorDecisionRow:
    """Write the decision down under this user's name, or refuse with the reason."""
    if not reason.strip():
        exit_with_message("say why: --reason is kept with the decision")
    try:
        wallet = parse_address(by)
    except InvalidAddress as error:
        exit_with_message(str(error))
    async with opened_current_database(settings) as database:
        async with database.read() as session:
            user = await find_user(session, wallet)
        if user is None:
            exit_with_message(f"{checksum(wallet)} is nobody's wallet here: `paimon users add` lets it sign in")
        try:
            return await submit_decision(SubmitDecision(kind, target, user, reason), database=database)
        except (NotPermitted, OutboxMessageNotFound, LogNotFound, DecisionNotPossible) as error:
            exit_with_message(str(error))


def decision_line(decision: OperatorDecisionRow) -> str:
    what = f"{decision.requested_at:%Y-%m-%d %H:%M} {decision.kind} by {checksum(decision.requested_by)}: {decision.reason}"
    return f"    {what} ({decision.outcome or 'waits to be carried out'})"
