"""A job from its beginning to its end: planned, said, run."""

from vidcolor.job.batch import expand
from vidcolor.job.estimate import estimate
from vidcolor.job.plan import finished, plan
from vidcolor.job.preview import preview
from vidcolor.job.run import run

__all__ = ["estimate", "expand", "finished", "plan", "preview", "run"]
