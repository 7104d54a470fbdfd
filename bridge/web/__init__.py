"""What the daemon shows by HTTP: whether it works, and figures. It reads values; nothing here reaches into a loop."""
