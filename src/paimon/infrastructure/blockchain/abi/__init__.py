"""The ABI files that ship with the package, and their codec."""
