"""Real services for the tests, and short names for what people do on the test fund."""
