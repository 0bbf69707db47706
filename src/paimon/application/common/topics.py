"""Kinds of outbox messages: which handler reads an aggregate again."""

from typing import Final

REDEMPTION: Final = "redemption"
FUND: Final = "fund"
RECONCILE: Final = "reconcile"
WHOLE_FUND: Final = "books"
