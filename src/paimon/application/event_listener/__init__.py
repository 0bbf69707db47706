"""Follows the chain: final blocks in order, each recorded and projected exactly once.

doorbell (wakes) → fetch (headers and logs of a range) → decode → record (one transaction: cursor, blocks, logs,
projections, outbox). `follow` is the loop around them, run by whoever holds the listener's lease.
"""
