"""Recorded final blocks that are not on the chain any more: back to the last one that is, for a person who says so."""
