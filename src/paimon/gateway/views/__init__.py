"""JSON documents that REST, the cache and WebSocket share: domain values in, JSON values out."""
