"""The event listener: it follows the chain's final blocks in order and records and projects each exactly once.

    ingest   the loop, run by the process that holds the listener's lease: new heads wake it, it waits for a node that is
             behind, and halts when a recorded block changes
    fetch    headers and logs of a range, decoded and proven against what the headers commit to
    record   one transaction: cursor, blocks, logs, proof, projections, outbox

In each folder SQL stands only in `store.py` (writes, and reads of a transaction that writes) and `queries.py` (reads of
other features), and in `record/projection_store.py`.
"""
