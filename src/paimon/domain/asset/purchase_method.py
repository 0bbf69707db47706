"""Purchase methods of assets."""

from enum import StrEnum


class PurchaseMethod(StrEnum):
    """How the fund buys an asset; the order of the values is the contract's.

    AUTO may only be set for an asset. A purchase is logged with the method that was used.
    """

    OTC = "OTC"
    SWAP = "SWAP"
    AUTO = "AUTO"

    @classmethod
    def from_chain(cls, number: int) -> "PurchaseMethod":
        """Convert the contract's number.

        Raises:
            ValueError: the interface does not know the number.
        """
        if (method := find_purchase_method(number)) is None:
            raise ValueError(f"purchase method {number} is none of 0 OTC, 1 SWAP, 2 AUTO")
        return method


def find_purchase_method(number: int) -> PurchaseMethod | None:
    """Return the method of this number; None for a number the interface does not know."""
    return dict(enumerate(PurchaseMethod)).get(number)
