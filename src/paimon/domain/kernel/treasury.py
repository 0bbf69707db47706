"""The vault and its accounting asset."""

from dataclasses import dataclass

from paimon.domain.kernel.chain import Address


@dataclass(frozen=True, slots=True)
class Treasury:
    """The vault's address and the token that its amounts are counted in."""

    vault: Address
    asset: Address
