"""Notifications: route risk events to channels, compose messages, send them, and tell the end of what was told."""
