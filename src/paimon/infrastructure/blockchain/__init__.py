"""The chain: JSON-RPC with bounded retries, ABIs, finality, and one typed reader of the fund's contracts."""
