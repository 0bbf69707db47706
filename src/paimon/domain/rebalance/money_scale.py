"""Between exact amounts and the solver's numbers.

The solver counts in millionths of the fund: it fails on numbers of 10^18, and its tolerances are absolute. What comes back is
rounded down to whole cents, and every limit is then checked again in exact integers.
"""

from dataclasses import dataclass

from paimon.domain.kernel.units import RawAmount

_UNITS_OF_A_FUND = 1_000_000
_CENTS = 100


@dataclass(frozen=True, slots=True)
class MoneyScale:
    """`unit` raw units of the vault's asset are 1 for the solver; `cent` is the smallest amount that a plan names."""

    unit: int
    cent: int

    @classmethod
    def of_fund(cls, total: RawAmount, decimals: int = 18) -> "MoneyScale":
        """Return the scale of a fund of this value."""
        whole = 10**decimals
        return cls(unit=max(total // _UNITS_OF_A_FUND, whole), cent=max(whole // _CENTS, 1))

    def to_solver(self, amount: int) -> float:
        """Convert an exact amount; the error is below 1e-15 of it."""
        return amount / self.unit

    def from_solver(self, value: float) -> RawAmount:
        """Convert a solver's number to an amount in whole cents, rounded down; noise below zero is zero."""
        cents_a_unit = self.unit / self.cent
        return RawAmount(max(int(value * cents_a_unit + 1e-6), 0) * self.cent)
