"""The demonstration: a world, an etcd of its own, and what the bridge does between the two."""
