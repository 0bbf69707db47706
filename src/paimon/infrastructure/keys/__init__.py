"""Keys and signatures: recover signers, encode transactions, and hold the system's own keys."""
