"""What tests of several rooms share."""

from __future__ import annotations

import os
from typing import Any

import pytest

from vidcolor.cli.color import Tools
from vidcolor.cli.main import main

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch, here and in child processes: on small networks threads wait for each other


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in this process, with `tools` where these are not the usual ones: (status, standard output, standard error)."""

    def command(*words: object, tools: Tools | None = None) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words], tools)
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return command
