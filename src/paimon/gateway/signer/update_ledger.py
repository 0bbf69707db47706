"""Update the ledger from the chain: which of a wallet's signed transactions moved money.

Before a limit refuses a request, the signer looks up the nonces that have become final since. A transaction that reverted, or
was replaced by another one, no longer counts.
"""

from paimon.domain.kernel.chain import Address, BlockStamp, checksum, hex0x
from paimon.gateway.signer.ledger import Ledger
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.pool import Rpc


async def update_ledger(ledger: Ledger, wallet: Address, rpc: Rpc, *, final: BlockStamp) -> None:
    """Record for every final nonce of the wallet whether its signed transactions moved money.

    Raises:
        RpcUnavailable, RpcError: nothing was changed.
    """
    undecided = ledger.list_undecided(wallet)
    if not undecided:
        return
    count: Request = ("eth_getTransactionCount", [checksum(wallet), hex(final.number)])
    receipts: list[Request] = [("eth_getTransactionReceipt", [hex0x(spend.hash)]) for spend in undecided]
    # One batch, so that one node answers from one state: a final nonce without a receipt then belongs to another transaction.
    used, *answers = await rpc.batch([count, *receipts])
    nonces_final = int(used, 16)
    ledger.mark_decided(
        {
            signed.hash: answer is not None and int(answer["status"], 16) == 1
            for signed, answer in zip(undecided, answers, strict=True)
            if signed.spend.nonce < nonces_final
        }
    )
