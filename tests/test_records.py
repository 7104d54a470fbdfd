"""What the records say, and that whoever writes one can read it."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import floats, integers

from bridge.ownership.records import (
    LONGEST_READ_TIME,
    LONGEST_TTL,
    Presence,
    read_presence,
    rounded_read_time,
    write_presence,
)


@given(floats(0, LONGEST_READ_TIME, allow_subnormal=False), integers(0, LONGEST_TTL))
def test_a_presence_reads_back_whatever_read_time_a_bridge_reckons(seconds: float, ttl: int) -> None:
    """One that cannot be read asks for a fleet lease for ever, and passes for somebody else's."""
    said = Presence("environment", ttl, rounded_read_time(seconds), "1")
    assert read_presence(write_presence(said)) == said
    assert said.read_time >= seconds
