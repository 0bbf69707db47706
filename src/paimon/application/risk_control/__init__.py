"""Risk control: record findings as risk events, alert people, and let them acknowledge and resolve events."""
