"""I/O in: where a world is read from."""
