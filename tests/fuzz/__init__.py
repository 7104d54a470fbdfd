"""What runs longer than a test may: `make fuzz`."""
