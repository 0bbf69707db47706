"""The emergency protocol: declared by the level, advanced by the worker, decided by people."""
