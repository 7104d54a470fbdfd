"""I/O out: where keys are kept."""
