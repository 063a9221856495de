"""The command line: words to a job, messages, exit status. No logic."""
