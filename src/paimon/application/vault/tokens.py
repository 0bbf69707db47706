"""Observation of tokens: symbol, decimals, and the vault's balance from before the token was tracked, read once.

The vault may have held a token before its first recorded Transfer. That balance is read at the block before the token was
tracked. A node that no longer has that state is asked for the present balance, and the transfers since are subtracted. Then the
first reconciliation of that token's balance proves nothing, and all later ones do.
"""

from typing import Any, Final

import structlog
from eth_abi.exceptions import DecodingError

from paimon.application.common.chain_position import chain_position
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.vault.store import TokenMetadata, UnobservedToken, add_token_observations, list_unobserved_tokens
from paimon.domain.kernel.chain import BlockStamp, checksum, hex0x
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.text import shown_line

log = structlog.get_logger(__name__)

_SYMBOL_MAX: Final = 32


async def observe_tokens(database: Database, contracts: FundContracts) -> int:
    """Read every tracked token that was not read yet; return how many there were.

    Raises:
        RpcUnavailable, RpcError: the node has no present state; the next call tries again.
    """
    async with database.read() as session:
        at = await chain_position(session)
        unobserved = await list_unobserved_tokens(session)
    if at is None or not unobserved:
        return 0
    tokens = [await _read(contracts, token, at=at) for token in unobserved]
    async with database.write() as session:
        if not await lock_recorded_block(session, at):
            return 0
        await add_token_observations(session, tokens, at=at)
    for token in tokens:
        log.info("token.observed", token=checksum(token.token), symbol=token.symbol, balance_before=str(token.balance_before))
    return len(tokens)


async def _read(contracts: FundContracts, unobserved: UnobservedToken, *, at: BlockStamp) -> TokenMetadata:
    abi, vault = load_abi("ERC20"), contracts.addresses.vault
    calls = (
        ("symbol", (), at.hash),
        ("decimals", (), at.hash),
        ("balanceOf", (vault,), at.hash),
        ("balanceOf", (vault,), unobserved.block_before),
    )
    requests = [
        (
            "eth_call",
            [{"to": checksum(unobserved.token), "data": hex0x(abi.encode_call(name, *args))}, {"blockHash": hex0x(block)}],
        )
        for name, args, block in calls
    ]
    answers = await contracts.rpc.state_at(at.number).try_batch(requests)
    symbol, decimals, now, before = (_decoded(name, answer) for (name, *_), answer in zip(calls, answers, strict=True))
    if now is None or decimals is None:
        raise RpcError("eth_call", 0, f"token {checksum(unobserved.token)} returns no decimals or no balance of the vault")
    return TokenMetadata(
        token=unobserved.token,
        symbol=(shown_line(symbol, length_max=_SYMBOL_MAX) if isinstance(symbol, str) else "") or checksum(unobserved.token),
        decimals=decimals,
        balance_before=max(now - unobserved.net_received, 0) if before is None else before,
    )


def _decoded(function: str, answer: Any) -> Any:
    """Return a decoded answer; None when the token does not answer or the node no longer has the state.

    An empty answer (0x) comes from an address without code: the token did not exist yet.
    """
    if isinstance(answer, RpcError):
        return None
    if answer == "0x":
        return 0 if function == "balanceOf" else None
    try:
        return load_abi("ERC20").decode_result(function, bytes.fromhex(answer[2:]))
    except (DecodingError, UnicodeDecodeError, OverflowError):
        return None  # symbols of old tokens are bytes32
