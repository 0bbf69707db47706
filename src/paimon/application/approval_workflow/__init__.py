"""Approval tickets: raised when the chain asks for an approval, decided by signed votes, closed by what the chain shows."""
