"""When: the process that stays, and takes each change as it comes."""
