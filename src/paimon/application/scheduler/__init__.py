"""The jobs that run by the clock. The scheduler process only enqueues them."""
