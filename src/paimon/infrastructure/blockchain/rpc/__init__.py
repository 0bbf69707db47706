"""JSON-RPC over a pool of endpoints: requests, selection, retries and errors."""
