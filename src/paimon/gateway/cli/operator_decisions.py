"""What `paimon outbox` and `paimon quarantine` share: who asks, and how a decision is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

import typer

from paimon.application.identity.users import NotPermitted, find_user
from paimon.application.quarantine.store import LogNotFound, ReactionNotFound, Target
from paimon.application.quarantine.submit_decision import AskRemedy, ask_remedy
from paimon.domain.kernel.chain import InvalidAddress, checksum, parse_address
from paimon.domain.risk.operator_decision import RemedyKind, RemedyNotPossible
from paimon.gateway.cli.process import refuse
from paimon.gateway.cli.resources import opened_database
from paimon.infrastructure.database import version
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

By = Annotated[str, typer.Option(help="Who decides: the address of a user of this house.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads of it later.")]

SHOWN_MAX: Final = 50


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database, at this version's migrations."""
    async with opened_database(settings, process="remedies") as database:
        await version.require_current(database.engine)
        yield database


async def decide(settings: Settings, kind: RemedyKind, target: Target, *, by: str, reason: str) -> OperatorDecisionRow:
    """Write the decision down under this user's name, or refuse with the reason."""
    if not reason.strip():
        refuse("say why: --reason is kept with the decision")
    try:
        wallet = parse_address(by)
    except InvalidAddress as error:
        refuse(str(error))
    async with opened(settings) as database:
        async with database.read() as session:
            user = await find_user(session, wallet)
        if user is None:
            refuse(f"{checksum(wallet)} is nobody's wallet here: `paimon users add` lets it sign in")
        try:
            return await ask_remedy(AskRemedy(kind, target, user, reason), database=database)
        except (NotPermitted, ReactionNotFound, LogNotFound, RemedyNotPossible) as error:
            refuse(str(error))


def remedy_line(remedy: OperatorDecisionRow) -> str:
    what = f"{remedy.asked_at:%Y-%m-%d %H:%M} {remedy.kind} by {checksum(remedy.asked_by)}: {remedy.reason}"
    return f"    {what} ({remedy.outcome or 'waits to be carried out'})"
