"""Fields of log lines that more than one use case writes."""

from paimon.domain.kernel.chain import BlockStamp, hex0x


def block_fields(block: BlockStamp) -> dict[str, str | int]:
    """Return the log fields that name a block."""
    return {"block": block.number, "block_hash": hex0x(block.hash)}
