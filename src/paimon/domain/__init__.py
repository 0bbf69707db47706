"""The fund's rules as functions of plain values: no I/O, no clock, no framework.

A rule that needs the time takes it as an argument. A rule that needs a fact of the chain takes the fact with the block it
was read at.
"""
