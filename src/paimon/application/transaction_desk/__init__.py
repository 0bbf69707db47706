"""The transaction desk: what people see of sending, and what they may tell it to do."""
