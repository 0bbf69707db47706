"""Redemption requests as the chain shows them, and the follow-up work they need."""
