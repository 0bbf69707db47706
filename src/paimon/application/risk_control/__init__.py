"""What was found wrong: kept as events, told to people, taken up and resolved."""
