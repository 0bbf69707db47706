"""JSON-RPC over a pool of endpoints.

pool                 the API: `call`, `batch`, `try_batch`, and views of the pool under one more condition
endpoint             one URL: its HTTP exchange and its health
read_answers         the body of an HTTP answer as one answer per request
endpoint_selection   which endpoint a request goes to
interpret_answers    what an answer means for a request at a height
log_ranges           logs of more blocks than a provider returns at once
errors               the errors that callers catch
"""
