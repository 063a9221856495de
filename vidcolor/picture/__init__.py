"""Planes of a picture and the arithmetic on them. Knows no file and no network."""
