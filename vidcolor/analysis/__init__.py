"""What is measured of a film before the work."""
