"""Prices of assets: what sources say, when a price is trusted, and what an untrusted one stops."""
