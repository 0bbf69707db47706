"""The audit trail: sealing its entries into a Merkle tree, reading them with proofs, and exporting it."""
