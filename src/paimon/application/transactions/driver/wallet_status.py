"""What a wallet looks like on chain, written on its row: how far its nonces are used, and what it has to pay for gas with.

People are shown the row and its age; nobody who reads asks the node. Idle wallets are looked at too, so that an empty one is
known before it is needed: less than the least it should have is a risk event until a look finds enough. So is an intent of
which the node has not told for minutes (untold.py).
"""

from datetime import datetime, timedelta

from paimon.application.risk_control.record_findings import keep_look
from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.driver.node_queries import read_counts
from paimon.application.transactions.driver.unknown_effect import keep_untold
from paimon.application.transactions.intents import register_wallet
from paimon.application.transactions.store import lock_wallet
from paimon.domain.kernel.chain import Address
from paimon.domain.risk.risk_event import RiskKind, low_gas, low_gas_subject
from paimon.infrastructure.database.models.ops.transaction import WalletRow


def is_look_due(row: WalletRow, now: datetime, look_seconds: int) -> bool:
    return row.seen_at is None or row.seen_at + timedelta(seconds=look_seconds) <= now


async def look_at_wallet(desk: Desk, wallet: Address) -> None:
    """Bring the wallet's row up to date if it was not looked at lately. Does nothing while another driver has it.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    configured = desk.options.sending_keys()
    async with desk.database.write() as session:
        if (name := configured.get(wallet)) is not None:
            await register_wallet(session, wallet, name)
        held = await lock_wallet(session, wallet)
        if held is None:
            return
        row, now = held
        if not is_look_due(row, now, desk.options.look_seconds):
            return
        final = await desk.final_block()
        seen = await read_counts(desk.rpc, wallet, final=final)
        row.seen_at, row.seen_block = now, final.number
        row.used_at_latest, row.used_at_final, row.balance_wei = seen.used_at_latest, seen.used_at_final, seen.balance_wei
        found = low_gas(row.name, wallet, seen.balance_wei, least_wei=desk.options.low_balance_wei.of(row.name))
        await keep_look(session, RiskKind.LOW_GAS, low_gas_subject(row.name, wallet), found, block=final.number)
        await keep_untold(session, wallet, now=now, block=final.number)
