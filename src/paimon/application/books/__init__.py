"""The books: pinned snapshots of the fund, and the comparison of everything recorded with the chain."""
