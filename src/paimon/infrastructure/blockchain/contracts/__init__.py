"""Typed reads of the contracts: one small class per contract, every read dated by a block.

A method of a contract class builds a `ContractRead[T]` and asks nothing. `ContractReader` sends reads, as many as fit into
one request, at one block:

    supply, price = await contracts.read([vault.total_supply(), vault.share_price()], at=block)

Reads of several result types go together as a `ReadBatch`, or one at a time by `read_one`.
"""
