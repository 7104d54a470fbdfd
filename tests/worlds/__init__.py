"""Rancher worlds made to measure."""
