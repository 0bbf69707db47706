"""Measurements: `make bench` runs every suite, `make bench SUITE=database` one. A timing never decides a test."""
