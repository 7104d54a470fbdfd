"""Healthy, labelled Rancher services become routes in the store that Traefik watches."""

__version__ = "0.1.0"
