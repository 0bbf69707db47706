"""Notifications: who is told of a risk event, when, on which channel, and in which words."""
