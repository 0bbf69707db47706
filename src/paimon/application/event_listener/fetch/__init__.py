"""Ranges of blocks: fetched, decoded and proven."""
