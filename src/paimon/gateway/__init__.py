"""The layer that talks to people and programs: REST, WebSocket, Celery tasks, the signer's socket, the command line."""
