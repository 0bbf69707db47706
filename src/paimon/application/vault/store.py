"""Storage of token metadata, as observations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from paimon.domain.kernel.chain import Address, BlockStamp, Hash32, checksum, hex0x, parse_address
from paimon.infrastructure.database.models.derived import ObservationRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

TOKEN: Final = "token"  # noqa: S105 — a kind of observation


@dataclass(frozen=True, slots=True)
class TokenMetadata:
    """A token as it describes itself. `balance_before` is the vault's balance from before the token was tracked."""

    token: Address
    symbol: str
    decimals: int
    balance_before: int


@dataclass(frozen=True, slots=True)
class UnobservedToken:
    """A tracked token that was not read yet: the block before it was tracked, and what the vault received since, net."""

    token: Address
    block_before: Hash32
    net_received: int


_UNOBSERVED: Final = text("""
    SELECT tracked.address, block.parent_hash, COALESCE(flow.received, 0) - COALESCE(flow.sent, 0)
      FROM derived.tracked_contracts AS tracked
      JOIN derived.blocks AS block ON block.number = tracked.since_block
      LEFT JOIN derived.token_flows AS flow ON flow.token = tracked.address
     WHERE tracked.contract = 'ERC20'
       AND NOT EXISTS (SELECT 1 FROM derived.observations
                        WHERE kind = 'token' AND data ->> 'address' = '0x' || encode(tracked.address, 'hex'))
     ORDER BY tracked.since_block, tracked.address
""")


async def list_unobserved_tokens(session: ReadSession) -> list[UnobservedToken]:
    """Return the tracked tokens that have no observation, oldest first."""
    rows = await session.execute(_UNOBSERVED)
    return [UnobservedToken(Address(address), Hash32(block_before), int(net)) for address, block_before, net in rows]


async def add_token_observations(session: WriteSession, tokens: Sequence[TokenMetadata], *, at: BlockStamp) -> None:
    """Write what was read of tokens at a block, unless it is there already."""
    await session.execute(insert(ObservationRow).values([_observation(token, at) for token in tokens]).on_conflict_do_nothing())


def _observation(metadata: TokenMetadata, at: BlockStamp) -> dict[str, Any]:
    return {
        "kind": TOKEN,
        "subject": checksum(metadata.token),
        "block_number": at.number,
        "block_hash": at.hash,
        "block_timestamp": at.timestamp,
        "data": {
            "address": hex0x(metadata.token),
            "symbol": metadata.symbol,
            "decimals": metadata.decimals,
            "balanceBefore": str(metadata.balance_before),
        },
    }


async def load_tokens(session: ReadSession) -> dict[Address, TokenMetadata]:
    """Return every observed token."""
    rows = await session.execute(
        select(ObservationRow.subject, ObservationRow.data)
        .where(ObservationRow.kind == TOKEN)
        .order_by(ObservationRow.block_number)
    )
    return {
        (token := parse_address(subject)): TokenMetadata(token, data["symbol"], data["decimals"], int(data["balanceBefore"]))
        for subject, data in rows
    }
