"""Live messages over WebSocket: one Redis subscription per process, one encoding per message, one bounded queue per client."""
