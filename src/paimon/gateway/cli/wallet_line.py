"""A sending wallet on one line, for `paimon tx` and `paimon status`."""

from datetime import datetime
from typing import Final

from paimon.application.common.formatting import display
from paimon.application.transactions.queries import WalletSummary
from paimon.gateway.cli.text import format_age
from paimon.settings import LowBalanceSettings

_COIN_DECIMALS: Final = 18


def wallet_line(wallet: WalletSummary, low_balance_wei: LowBalanceSettings, now: datetime) -> str:
    """Return `next nonce 7 (6 used, 5 final), in flight 6, gas 1.25, seen 4 s ago`, then the warnings in capitals."""
    parts = [f"next nonce {wallet.next_nonce}"]
    warnings = []
    if (account_state := wallet.account_state) is not None:
        parts[0] += f" ({account_state.latest_nonce} used, {account_state.final_nonce} final)"
        if wallet.in_flight_nonces:
            parts.append(f"in flight {', '.join(map(str, wallet.in_flight_nonces))}")
        balance = display(account_state.balance_wei, _COIN_DECIMALS)
        parts.append(f"gas {balance}, seen {format_age(now - account_state.at)} ago")
        if account_state.balance_wei < (least := low_balance_wei.for_wallet(wallet.name)):
            warnings.append(f"LOW GAS: should have {display(least, _COIN_DECIMALS)}")
    else:
        parts.append("never seen on chain")
    if wallet.missing_nonces:
        warnings.append(f"GAP: no transaction for nonce {', '.join(map(str, wallet.missing_nonces))}")
    if wallet.last_error:
        warnings.append(f"FAILING for {format_age(now - wallet.last_error.at)}: {wallet.last_error.message}")
    if wallet.fault:
        warnings.append(f"FAULT: {wallet.fault}")
    return ", ".join([*parts, *warnings])
