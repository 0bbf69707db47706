"""The chain.

rpc         JSON-RPC over a pool of endpoints
proof       hashes, roots and blooms, recomputed from a block's own content
abi         the shipped ABI files and their codec
contracts   typed reads of the contracts
finality    how a node reports final blocks, by chain
"""
