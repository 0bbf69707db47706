"""Keys and signatures: who signed something, and where this house's own keys live."""
