"""Films as they come in: looked at, decoded, timed."""
