"""Plans: what they count for, which wallet carries them out, and what became of them."""
