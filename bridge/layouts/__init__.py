"""Routes become entries: one module a key layout."""
