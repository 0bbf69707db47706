"""The subject of the risk event of a contract that is another program than it was when it was examined before."""

from paimon.domain.kernel.chain import Address, ContractName, checksum


def change_subject(contract: ContractName, address: Address, *, block: int) -> str:
    """Return the subject: one event for each change, named by the block at which it was found."""
    return f"{contract} {checksum(address)} at block {block}"
