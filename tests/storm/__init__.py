"""Clusters as real processes on a real store, and a judge of all that the store ever held.

    python -m tests.storm etcd 7 300

runs five clusters for 300 rounds by seed 7: they come and go, die, freeze and disagree by chance, beneath requests
through a real Traefik 3. What happened is told by the seed but for the moments, which no two runs share.
"""
