"""Prepare a chain for the market: gas and USDT for the investors, the trader's role, and the token that is listed later.

A second run finds everything in place and does nothing.
"""

from collections.abc import Iterator
from typing import Any, Final

from paimon_devkit.market.calls import role_id
from paimon_devkit.market.config import ADMIN, GUEST_ASSET, INVESTORS, ISSUER, TRADER
from paimon_devkit.market.exchange import GUEST_ASSET_DECIMALS, Call
from paimon_devkit.market.executor import ActionExecutor
from paimon_devkit.market.market_state import WAD

_GAS_BALANCE_WEI: Final = 10_000 * WAD
_GAS_BALANCE_WEI_MIN: Final = 100 * WAD
_UNLIMITED: Final = 2**256 - 1
_GUEST_ASSET_PRICE: Final = 2 * WAD
_GUEST_ASSET_IMPACT_BPS: Final = 30

_LARGE_BALANCES_USDT: Final = (9_000_000, 7_000_000, 5_000_000, 4_000_000, 2_000_000, 1_500_000, 1_200_000, 1_000_000)
"""The balances of the first investors; all others have `_BALANCE_USDT`."""
_BALANCE_USDT: Final = 250_000


def set_up_market(executor: ActionExecutor, *, signed: bool) -> None:
    """Fund the accounts and send the missing calls. Raises MarketError."""
    node, exchange = executor.node, executor.exchange
    for account in exchange.accounts.values():
        if int(node.call("eth_getBalance", account.address, "latest"), 16) < _GAS_BALANCE_WEI_MIN:
            node.call("anvil_setBalance", account.address, hex(_GAS_BALANCE_WEI))
    if missing := list(_setup_calls(executor)):
        executor.send_all(missing, signed=signed)


def _setup_calls(executor: ActionExecutor) -> Iterator[Call]:
    exchange = executor.exchange
    for number, name in enumerate(INVESTORS):
        address = exchange.address(name)
        allowed = _read(executor, "TestToken", exchange.fund.usdt, "allowance", address, exchange.fund.vault)
        if allowed < _UNLIMITED // 2:  # this investor is not set up yet
            balance = _LARGE_BALANCES_USDT[number] if number < len(_LARGE_BALANCES_USDT) else _BALANCE_USDT
            yield exchange.token(name, "USDT", "mint", address, balance * WAD)
            yield exchange.token(name, "USDT", "approve", exchange.fund.vault, _UNLIMITED)
    rebalancer = role_id("REBALANCER_ROLE")
    if not _read(executor, "AssetController", exchange.fund.asset_controller, "hasRole", rebalancer, exchange.address(TRADER)):
        yield exchange.call(ADMIN, "AssetController", "grantRole", rebalancer, exchange.address(TRADER))
    token = exchange.tokens[GUEST_ASSET]
    if executor.node.call("eth_getCode", token, "latest") == "0x":
        yield exchange.deploy(ISSUER, "TestToken", "Seasoned Receivables", GUEST_ASSET, GUEST_ASSET_DECIMALS)
        yield exchange.call(ADMIN, "OracleAdapter", "setPrice", token, _GUEST_ASSET_PRICE)
        yield exchange.call(ADMIN, "SwapHelper", "setPriceImpactBps", token, _GUEST_ASSET_IMPACT_BPS)


def _read(executor: ActionExecutor, contract: str, address: str, function: str, *args: Any) -> Any:
    abi = executor.exchange.abis[contract]
    data = "0x" + abi.encode_call(function, *args).hex()
    return abi.decode_result(
        function, bytes.fromhex(executor.node.call("eth_call", {"to": address, "data": data}, "latest")[2:])
    )
