"""Channels of notifications: how a message is handed to each service, and what its answer means."""
