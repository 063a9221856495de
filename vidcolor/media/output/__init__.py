"""Films as they go out: encoded, joined, their other streams copied."""
