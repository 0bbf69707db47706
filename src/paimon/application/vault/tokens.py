"""A token's symbol and decimals, and how much of it the vault had before it was followed: read once, as an observation.

The vault may have held a token before its first recorded Transfer. That balance is read at the block before the token is
followed; a node that has forgotten that state is asked for the present balance, and what has come and gone since is taken
off. Then the first comparison of that token's balance proves nothing, and all later ones do.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from paimon.application.common.chain_position import chain_position
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x, parse_address
from paimon.domain.kernel.units import RawAmount
from paimon.infrastructure.blockchain.contracts.erc20 import Erc20
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import ContractRead, FailedRead
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.sessions import Database, ReadSession
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

TOKEN: Final = "token"  # noqa: S105 — a kind of observation


@dataclass(frozen=True, slots=True)
class TokenMetadata:
    """A token as it describes itself. `balance_before` is the vault's from before the token was followed."""

    token: Address
    symbol: str
    decimals: int
    balance_before: int


@dataclass(frozen=True, slots=True)
class _Unobserved:
    token: Address
    before: Hash32
    net_received: int


_UNOBSERVED: Final = text("""
    SELECT followed.address, block.parent_hash, COALESCE(flow.received, 0) - COALESCE(flow.sent, 0)
      FROM derived.tracked_contracts AS followed
      JOIN derived.blocks AS block ON block.number = followed.since_block
      LEFT JOIN derived.token_flows AS flow ON flow.token = followed.address
     WHERE followed.contract = 'ERC20'
       AND NOT EXISTS (SELECT 1 FROM derived.observations
                        WHERE kind = 'token' AND data ->> 'address' = '0x' || encode(followed.address, 'hex'))
     ORDER BY followed.since_block, followed.address
""")


async def observe_tokens(database: Database, contracts: FundContracts) -> int:
    """Read every followed token that was not read yet; how many there were.

    Raises:
        RpcUnavailable, RpcError: the node knows nothing of the present state; the next call tries again.
    """
    async with database.read() as session:
        at = await chain_position(session)
        rows = await session.execute(_UNOBSERVED)
        waiting = [_Unobserved(Address(address), Hash32(before), int(net)) for address, before, net in rows]
    if at is None or not waiting:
        return 0
    found = [await _read(contracts, each, at=at) for each in waiting]
    async with database.write() as session:
        if not await lock_recorded_block(session, at):
            return 0
        await session.execute(insert(ObservationRow).values([_values(each, at) for each in found]).on_conflict_do_nothing())
    for each in found:
        log.info("token.observed", token=checksum(each.token), symbol=each.symbol, balance_before=str(each.balance_before))
    return len(found)


def _values(terms: TokenMetadata, at: BlockStamp) -> dict[str, Any]:
    return {
        "kind": TOKEN,
        "subject": checksum(terms.token),
        "block_number": at.number,
        "block_hash": at.hash,
        "block_timestamp": at.timestamp,
        "data": {
            "address": hex0x(terms.token),
            "symbol": terms.symbol,
            "decimals": terms.decimals,
            "balanceBefore": str(terms.balance_before),
        },
    }


async def _read(contracts: FundContracts, unobserved: _Unobserved, *, at: BlockStamp) -> TokenMetadata:
    token, vault = Erc20(unobserved.token), contracts.addresses.vault
    requests = [
        token.symbol().build_request(at.hash),
        token.decimals().build_request(at.hash),
        token.balance_of(vault).build_request(at.hash),
        token.balance_of(vault).build_request(unobserved.before),
    ]
    answers = await contracts.rpc.state_at(at.number).try_batch(requests)
    symbol, decimals = _decoded(token.symbol(), answers[0]), _decoded(token.decimals(), answers[1])
    balance, before = (_decoded_balance(token.balance_of(vault), answer) for answer in answers[2:])
    if balance is None or decimals is None:
        raise RpcError(
            "eth_call", 0, f"token {checksum(unobserved.token)} does not return its decimals and the vault's balance"
        )
    return TokenMetadata(
        token=unobserved.token,
        symbol=strip_nul(symbol) if symbol else checksum(unobserved.token),
        decimals=decimals,
        balance_before=max(balance - unobserved.net_received, 0) if before is None else before,
    )


def _decoded(read: ContractRead[_T], answer: Any) -> _T | None:
    """Decode an answer; None where the token does not answer, or the node no longer has the state."""
    if isinstance(answer, RpcError):
        return None
    decoded = read.decode(answer)
    return None if isinstance(decoded, FailedRead) else decoded  # symbols of old tokens are bytes32 and do not decode


def _decoded_balance(read: ContractRead[RawAmount], answer: Any) -> RawAmount | None:
    """Decode a balance, which is 0 where the token did not exist yet (0x)."""
    return RawAmount(0) if answer == "0x" else _decoded(read, answer)


async def load_tokens(session: ReadSession) -> dict[Address, TokenMetadata]:
    """Every observed token."""
    rows = await session.execute(
        select(ObservationRow.subject, ObservationRow.data)
        .where(ObservationRow.kind == TOKEN)
        .order_by(ObservationRow.block_number)
    )
    return {
        (token := parse_address(subject)): TokenMetadata(token, data["symbol"], data["decimals"], int(data["balanceBefore"]))
        for subject, data in rows
    }
