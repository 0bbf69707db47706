"""Measurements: `make bench` runs every suite, `make bench SUITE=database` one. No test depends on a timing."""
