"""From what was asked to frames: the words of a job, its stages in their order, and the threads they work in."""
