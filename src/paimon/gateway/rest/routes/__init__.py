"""REST endpoints, one file a feature."""
