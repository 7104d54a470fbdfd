"""Values only: what passes from one room to the next."""
