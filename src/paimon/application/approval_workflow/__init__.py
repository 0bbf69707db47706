"""Approval tickets: opened by the chain, decided by signed votes, closed by the chain."""
