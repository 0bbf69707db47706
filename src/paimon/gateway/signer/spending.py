"""What a call moves, by the signer's own reads, and whether the key's limits and ledger leave room for it.

| Call | Counts for |
|---|---|
| `allocateToLayer` | its amount |
| `purchaseAsset` | its amount |
| `redeemAsset` | its tokens at the fund's oracle price, rounded up |
| `rebalanceBuffer` | how far the buffer is from its target |
| `executeWaterfallLiquidation` | the amount it is to free |

All at one final block. Before a limit refuses anything, nonces that have become final since are looked up: what reverted,
or was replaced by something else, counts no longer.
"""

from paimon.domain.chain import Address, BlockStamp, ContractName, checksum, hex0x
from paimon.domain.units import RawAmount, Rounding, divide
from paimon.gateway.signer.check import Movement
from paimon.gateway.signer.ledger import Ledger
from paimon.gateway.signer.policy import SignableFunction
from paimon.infrastructure.blockchain.contracts import CallReverted, FundContracts, Read
from paimon.infrastructure.blockchain.rpc import Request, Rpc

_CONTROLLER = ContractName.ASSET_CONTROLLER


async def amount_of(movement: Movement, contracts: FundContracts, *, at: BlockStamp) -> RawAmount:
    """In units of the vault's asset.

    Raises:
        CallReverted: the token is not one of the fund's, or has no price.
        RpcUnavailable, RpcError.
    """
    arguments = movement.arguments
    match movement.function:
        case SignableFunction.ALLOCATE:
            return RawAmount(arguments["amount"])
        case SignableFunction.PURCHASE:
            return RawAmount(arguments["usdtAmount"])
        case SignableFunction.REDEEM:
            return await _worth(Address(arguments["token"]), arguments["tokenAmount"], contracts, at=at)
        case SignableFunction.REBALANCE_BUFFER:
            (pool,) = await contracts.read([Read(_CONTROLLER, "getBufferPoolInfo")], at=at)
            return RawAmount(abs(pool["total"] - pool["target"]))
        case SignableFunction.WATERFALL:
            return RawAmount(arguments["amountNeeded"])
    raise AssertionError(f"unreachable: {movement.function} moves no money")


async def _worth(token: Address, amount: int, contracts: FundContracts, *, at: BlockStamp) -> RawAmount:
    oracle, configs = await contracts.read([Read(_CONTROLLER, "oracleAdapter"), Read(_CONTROLLER, "getAssetConfigs")], at=at)
    decimals = next((each["decimals"] for each in configs if Address(each["token"]) == token), None)
    if decimals is None:
        raise CallReverted(f"{checksum(token)} is not an asset of the fund", None)
    price = await contracts.price(Address(oracle), token, at=at)
    return RawAmount(divide(amount * price, 10**decimals, rounding=Rounding.UP))


async def settle_ledger(ledger: Ledger, wallet: Address, rpc: Rpc, *, final: BlockStamp) -> None:
    """Tell the ledger which of the wallet's signed transactions did move money, of all nonces that are final.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    waiting = ledger.undecided(wallet)
    if not waiting:
        return
    count: Request = ("eth_getTransactionCount", [checksum(wallet), hex(final.number)])
    receipts: list[Request] = [("eth_getTransactionReceipt", [hex0x(each.hash)]) for each in waiting]
    # One batch, so that one node answers from one state: a nonce past final without a receipt is then someone else's.
    used, *answers = await rpc.batch([count, *receipts])
    nonces_final = int(used, 16)
    ledger.decide(
        {
            each.hash: answer is not None and int(answer["status"], 16) == 1
            for each, answer in zip(waiting, answers, strict=True)
            if each.spend.nonce < nonces_final
        }
    )
