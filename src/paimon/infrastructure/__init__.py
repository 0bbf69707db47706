"""The layer of technical services: database, cache, queue, chain, keys, logs. It imports the domain and settings."""
