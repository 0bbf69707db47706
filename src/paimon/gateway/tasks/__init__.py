"""Celery: the queue's entry points. A task is a sync function that hands a coroutine to its process's one loop."""
