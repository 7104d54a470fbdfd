"""All interleavings of some bridges on one store, over the real planning, packing and writing code.

Where `tests/histories.py` rolls dice, this goes through everything that may happen, breadth first: each bridge reads,
plans and commits transaction by transaction, and between any two steps another one may move, a process may crash or
stand still with its plan in its hands, a lease may end, a source may change its mind, a hand may write, an answer may
get lost, time may pass. Every reading that a Traefik 1.7 may make meanwhile, name by name and value by value, is
judged. From each state all must come to peace.

    python -m tests.interleavings                     # all scenarios: two minutes on two processors
    python -m tests.interleavings --states 100000     # those too that were not yet gone through wholly
    python -m tests.interleavings --only guest        # those whose name holds this
    python -m tests.interleavings --breaks            # the protocol broken on purpose: what is found, and how soon

- `world.py`: one state, and which states are the same. Revisions count only as what is known and past, times as ages
  up to a read-time: so the states of a scenario are finitely many, and most scenarios are gone through wholly. States
  are known by a hash of 64 bits.
- `moves.py`: what may happen next. `promises.py`: what must hold. `readings.py`: all readings that are under way.
- `search.py`: through all states, and from each to peace. `scenarios.py`: who publishes what, and what disturbs.
- `breaks.py`: what the protocol is not allowed to leave out.
"""
