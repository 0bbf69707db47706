"""What the ledger learns from the chain: which of a wallet's signed transactions did move money.

What a call moves is read by `infrastructure/blockchain/contracts/money_calls`, at a final block and over the signer's own endpoint.
Before a limit refuses anything, nonces that have become final since are looked up: what reverted, or was replaced by
something else, counts no longer.
"""

from paimon.domain.kernel.chain import Address, BlockStamp, checksum, hex0x
from paimon.gateway.signer.ledger import Ledger
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc


async def update_ledger(ledger: Ledger, wallet: Address, rpc: Rpc, *, final: BlockStamp) -> None:
    """Tell the ledger which of the wallet's signed transactions did move money, of all nonces that are final.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    waiting = ledger.list_undecided(wallet)
    if not waiting:
        return
    count: Request = ("eth_getTransactionCount", [checksum(wallet), hex(final.number)])
    receipts: list[Request] = [("eth_getTransactionReceipt", [hex0x(each.hash)]) for each in waiting]
    # One batch, so that one node answers from one state: a nonce past final without a receipt is then someone else's.
    used, *answers = await rpc.batch([count, *receipts])
    nonces_final = int(used, 16)
    ledger.mark_decided(
        {
            each.hash: answer is not None and int(answer["status"], 16) == 1
            for each, answer in zip(waiting, answers, strict=True)
            if each.spend.nonce < nonces_final
        }
    )
