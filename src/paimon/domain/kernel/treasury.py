"""The vault and the token it is counted in."""

from dataclasses import dataclass

from paimon.domain.kernel.chain import Address


@dataclass(frozen=True, slots=True)
class Treasury:
    """Whose money is told of, and the token it is counted in."""

    vault: Address
    asset: Address
