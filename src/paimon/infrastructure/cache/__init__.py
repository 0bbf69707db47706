"""Redis: encoded answers, live messages, processed ids. Losing it loses nothing."""
