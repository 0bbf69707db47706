"""Conversions between rows and domain values that several features share."""
