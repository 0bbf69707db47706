"""Tables over time: what TimescaleDB adds to them where it is, and nothing that a query could notice."""
