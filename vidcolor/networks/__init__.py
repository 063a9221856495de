"""What networks and styles there are, and what is known of each. Nothing is run here."""
