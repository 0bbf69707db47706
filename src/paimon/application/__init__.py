"""Use cases: load, decide, store, emit. Each takes what it needs as arguments; none knows HTTP or the queue."""
