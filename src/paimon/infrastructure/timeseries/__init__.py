"""Storage of the time series: plain tables, or hypertables of TimescaleDB."""
