"""Before the first action: gas and USDT for the investors, the trader's role, and the token that is listed later.

Done once for a chain; repeating it finds everything in place.
"""

from collections.abc import Iterator
from typing import Any, Final

from paimon_devkit.market.calls import role_id
from paimon_devkit.market.config import ADMIN, GUEST_ASSET, INVESTORS, ISSUER, TRADER
from paimon_devkit.market.exchange import GUEST_ASSET_DECIMALS, Call
from paimon_devkit.market.executor import Stage
from paimon_devkit.market.market_state import WAD

_GAS_MONEY_WEI: Final = 10_000 * WAD
_LOW_GAS_MONEY_WEI: Final = 100 * WAD
_UNLIMITED: Final = 2**256 - 1
_GUEST_ASSET_PRICE: Final = 2 * WAD
_GUEST_ASSET_IMPACT_BPS: Final = 30

_POCKETS_USDT: Final = (9_000_000, 7_000_000, 5_000_000, 4_000_000, 2_000_000, 1_500_000, 1_200_000, 1_000_000)
"""The rich; all others have what is below."""
_POCKET_USDT: Final = 250_000


def open_market(stage: Stage, *, signed: bool) -> None:
    """Raises MarketError."""
    node, venue = stage.node, stage.venue
    for account in venue.accounts.values():
        if int(node.call("eth_getBalance", account.address, "latest"), 16) < _LOW_GAS_MONEY_WEI:
            node.call("anvil_setBalance", account.address, hex(_GAS_MONEY_WEI))
    if missing := list(_missing(stage)):
        stage.send_now(missing, signed=signed)


def _missing(stage: Stage) -> Iterator[Call]:
    venue = stage.venue
    for number, name in enumerate(INVESTORS):
        address = venue.address(name)
        allowed = _read(stage, "TestToken", venue.fund.usdt, "allowance", address, venue.fund.vault)
        if allowed < _UNLIMITED // 2:  # never been here
            pocket = _POCKETS_USDT[number] if number < len(_POCKETS_USDT) else _POCKET_USDT
            yield venue.token(name, "USDT", "mint", address, pocket * WAD)
            yield venue.token(name, "USDT", "approve", venue.fund.vault, _UNLIMITED)
    rebalancer = role_id("REBALANCER_ROLE")
    if not _read(stage, "AssetController", venue.fund.asset_controller, "hasRole", rebalancer, venue.address(TRADER)):
        yield venue.call(ADMIN, "AssetController", "grantRole", rebalancer, venue.address(TRADER))
    token = venue.tokens[GUEST_ASSET]
    if stage.node.call("eth_getCode", token, "latest") == "0x":
        yield venue.deploy(ISSUER, "TestToken", "Seasoned Receivables", GUEST_ASSET, GUEST_ASSET_DECIMALS)
        yield venue.call(ADMIN, "OracleAdapter", "setPrice", token, _GUEST_ASSET_PRICE)
        yield venue.call(ADMIN, "SwapHelper", "setPriceImpactBps", token, _GUEST_ASSET_IMPACT_BPS)


def _read(stage: Stage, contract: str, address: str, function: str, *args: Any) -> Any:
    abi = stage.venue.abis[contract]
    data = "0x" + abi.encode_call(function, *args).hex()
    return abi.decode_result(function, bytes.fromhex(stage.node.call("eth_call", {"to": address, "data": data}, "latest")[2:]))
