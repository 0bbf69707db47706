"""Monitoring: figures of the system as metrics and as a health report, and the retention of time series."""
