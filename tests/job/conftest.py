"""A film that is coloured in a blink, and the command."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.job.films import FRAMES, ShadePool
from tests.media.clips import make
from vidcolor.cli.color import Tools
from vidcolor.cli.main import main
from vidcolor.job.segments import Lengths


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("source") / "film.mkv", size=(64, 48), frames=FRAMES, audio=["aac"])


@pytest.fixture
def film(source: Path, tmp_path: Path) -> Path:
    """A film of two segments of a second."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    return Path(shutil.copy2(source, tmp_path / "in" / "film.mkv"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "o.mkv"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in this process, with segments of a second and Shade as its network.

    (status, standard output, lines of standard error that are no notes)
    """

    def command(*words: object) -> tuple[int, str, list[str]]:
        with pytest.raises(SystemExit) as end:
            main(["--steady", "off", *map(str, words)], Tools(ShadePool, Lengths(1, 1)))
        said = capsys.readouterr()
        assert not [t.name for t in threading.enumerate() if t.name.startswith("vidcolor-")], "every worker has ended"
        return int(end.value.code or 0), said.out, [line for line in said.err.splitlines() if not line.startswith(("note:", "{"))]

    return command
