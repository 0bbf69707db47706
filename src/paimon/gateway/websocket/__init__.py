"""Live messages to people: one Redis subscription a process, one encoding a message, one bounded queue a client."""
