"""Sending: intents, attempts and wallets, from a queued call to its final effect on chain."""
