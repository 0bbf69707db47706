"""The fund's Safes: proposals, their owners' signatures collected here, and what the chain made of each nonce."""
