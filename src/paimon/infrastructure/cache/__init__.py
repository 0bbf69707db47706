"""Redis: encoded responses, endpoint states, live messages. Everything in it can be lost."""
