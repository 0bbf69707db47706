"""What runs by the clock: a table of jobs. The scheduler process only enqueues them."""
