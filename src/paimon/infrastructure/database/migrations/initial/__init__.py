"""The tables of the first migration, a module for each group. `versions/0001_initial.py` calls them."""
