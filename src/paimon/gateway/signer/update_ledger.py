"""Update the ledger from the chain: which of a wallet's signed transactions moved money.

Before a limit refuses a request, the signer looks up the nonces that have become final since. A transaction stops counting
only with a proof that it moved nothing: most endpoints show its own receipt as reverted, or the receipt of another transaction
of this ledger at its nonce. Without a proof, or with one endpoint only, it counts for 24 hours as if it had moved its amount.
"""

import structlog

from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x
from paimon.gateway.signer.agreed_chain import AgreedChain
from paimon.gateway.signer.ledger import Ledger, NonceUse
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.endpoint import Request

log = structlog.get_logger(__name__)

_Successes = dict[Hash32, bool]
"""By the hash of a transaction that is in a final block: whether it succeeded."""


async def update_ledger(ledger: Ledger, wallet: Address, chain: AgreedChain, *, final: BlockStamp, final_nonces: int) -> None:
    """Record for every final nonce of the wallet whether its signed transactions moved money.

    Raises:
        ChainNotRead: nothing was changed.
    """
    uses = ledger.list_undecided(wallet, below_nonce=final_nonces)
    if not uses:
        return
    hashes = [hash_ for use in uses for hash_ in use.hashes]
    successes = await chain.read(lambda contracts: _read_successes(contracts, hashes, final))
    moved: dict[Hash32, bool] = {}
    for use in uses:
        if not any(hash_ in successes for hash_ in use.hashes):
            log.error("signer.nonce_used_by_unknown", wallet=checksum(wallet), nonce=use.nonce)
        moved |= _moved(use, successes, may_take_back=chain.has_second_opinion)
    ledger.mark_decided(moved)


def _moved(use: NonceUse, successes: _Successes, *, may_take_back: bool) -> dict[Hash32, bool]:
    mined = next((hash_ for hash_ in use.hashes if hash_ in successes), None)
    return {hash_: mined is None or not may_take_back or (hash_ == mined and successes[mined]) for hash_ in use.undecided}


async def _read_successes(contracts: FundContracts, hashes: list[Hash32], final: BlockStamp) -> _Successes:
    requests: list[Request] = [("eth_getTransactionReceipt", [hex0x(hash_)]) for hash_ in hashes]
    receipts = await contracts.rpc.batch(requests)
    return {
        hash_: int(receipt["status"], 16) == 1
        for hash_, receipt in zip(hashes, receipts, strict=True)
        if receipt is not None and int(receipt["blockNumber"], 16) <= final.number
    }
