"""What is done to frames on their way, one idea each."""
