"""Sources of prices beside the fund's own adapter: feeds on chain, and web services."""
