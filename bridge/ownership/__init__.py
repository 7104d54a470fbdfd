"""Whose key it is, and in which order keys change. Pure."""
