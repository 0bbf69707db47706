"""Redemption requests: what the chain says of them, and what is due because of it."""
