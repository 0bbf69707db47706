"""Kinds of outbox messages, and the aggregate of those that concern the whole fund."""

from typing import Final

REDEMPTION: Final = "redemption"
FUND: Final = "fund"
RECONCILE: Final = "reconcile"
CONTRACTS: Final = "contracts"

WHOLE_FUND: Final = "fund"
"""The aggregate id of a message that is not about one redemption, wallet or event."""
