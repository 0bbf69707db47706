"""The fund's rules as functions of plain values: no I/O, no clock, no framework.

Whatever needs the time takes it as an argument; whatever needs a fact of the chain takes it with the block it was read at.
"""
