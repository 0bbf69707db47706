"""Recording: one range of blocks in one transaction, and the list of logs that are not final yet."""
