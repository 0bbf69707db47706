"""The HTTP server of the API: uvicorn, with a bound on each thing that a stranger may make it keep or do."""
