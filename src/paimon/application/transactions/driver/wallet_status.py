"""Record how a wallet stands on chain: how far its nonces are used, and how much it has to pay for gas.

Readers see the row and its age and ask no node. Idle wallets are refreshed too, so that an empty wallet is known before it is
needed: a balance below the configured minimum is a risk event until a refresh finds enough. So is an intent whose state the
node has not told for minutes (unknown_effect.py), and a transaction of the hot wallet without a signed plan
(unsigned_movements.py).
"""

from datetime import datetime, timedelta

from paimon.application.risk_control.record_findings import record_check_result
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.node_queries import read_account_state
from paimon.application.transactions.driver.unknown_effect import record_unknown_effects
from paimon.application.transactions.driver.unsigned_movements import record_unsigned_movements
from paimon.application.transactions.store import lock_wallet, register_wallet
from paimon.domain.kernel.chain import Address
from paimon.domain.risk.risk_event import RiskKind, low_gas_finding, low_gas_subject
from paimon.domain.transaction.lifecycle import WalletName
from paimon.infrastructure.database.models.ops.transaction import WalletRow


def is_refresh_due(row: WalletRow, now: datetime, wallet_refresh_seconds: int) -> bool:
    return row.seen_at is None or row.seen_at + timedelta(seconds=wallet_refresh_seconds) <= now


async def refresh_wallet_status(context: SendingContext, wallet: Address) -> None:
    """Bring the wallet's row up to date if that is due. Does nothing while another driver holds the wallet.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    configured = context.options.sending_keys()
    async with context.database.write() as session:
        if (name := configured.get(wallet)) is not None:
            await register_wallet(session, wallet, name)
        locked = await lock_wallet(session, wallet)
        if locked is None:
            return
        row, now = locked
        if not is_refresh_due(row, now, context.options.wallet_refresh_seconds):
            return
        final = await context.final_block()
        account_state = await read_account_state(context.rpc, wallet, final=final)
        row.seen_at, row.seen_block = now, final.number
        row.latest_nonce = account_state.latest_nonce
        row.final_nonce = account_state.final_nonce
        row.balance_wei = account_state.balance_wei
        balance_wei_min = context.options.low_balance_wei.for_wallet(row.name)
        found = low_gas_finding(row.name, wallet, account_state.balance_wei, minimum_wei=balance_wei_min)
        await record_check_result(session, RiskKind.LOW_GAS, low_gas_subject(row.name, wallet), found, block=final.number)
        await record_unknown_effects(session, wallet, now=now, block=final.number)
        if row.name is WalletName.HOT:
            await record_unsigned_movements(session, context, row, final=final, final_nonce=account_state.final_nonce)
