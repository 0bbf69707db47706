"""Endpoints, one file a group."""
