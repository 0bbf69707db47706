"""Redis: encoded responses, live messages, processed ids. Everything in it can be lost."""
