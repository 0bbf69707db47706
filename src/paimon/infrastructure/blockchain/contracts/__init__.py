"""Typed reads of the contracts, each dated by a block."""
