"""Proof of blocks from their own content: header hashes, receipt roots, logs blooms."""
