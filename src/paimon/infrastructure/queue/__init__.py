"""The outbox: messages committed with their cause, the relay that publishes them, and the handling of one message."""
