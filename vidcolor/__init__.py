"""vidcolor colours black-and-white film and keeps everything else of it."""

__version__ = "0.1.0"
