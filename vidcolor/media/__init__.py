"""Films and pictures as files. PyAV lives here alone."""
