"""From a committed fact to its reaction: the outbox table and the relay that publishes it."""
