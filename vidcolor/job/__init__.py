"""The one place that wires the rooms together: a Job is planned, said, and run."""

from vidcolor.job.batch import expand
from vidcolor.job.plan import finished, plan
from vidcolor.job.report import Job, Plan, Report
from vidcolor.job.run import run
from vidcolor.job.trial import estimate, preview

__all__ = ["Job", "Plan", "Report", "estimate", "expand", "finished", "plan", "preview", "run"]
