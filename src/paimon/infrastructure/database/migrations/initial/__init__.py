"""The tables of the first migration, one module per group. `versions/0001_initial.py` calls them."""
