"""The tools the house stands on: database, cache, queue, chain, keys, logs. Knows the domain, nothing above."""
