"""Assets: the profiles that people give them."""
