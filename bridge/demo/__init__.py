"""The demonstration: a world that changes, an etcd of its own, and what real bridges do between the two."""
