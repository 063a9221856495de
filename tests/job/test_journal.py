"""The journal: what is safe is found again, what is not is left out."""

import hashlib
from pathlib import Path

import pytest

from vidcolor.errors import OutputError
from vidcolor.job.journal import Journal, Segment

HEADER = {"vidcolor": "1", "box": [0, 0, 4, 4]}


def add(journal: Journal, index: int, data: bytes = b"packets") -> None:
    path = journal.segment_path(index)
    path.write_bytes(data)
    journal.add(Segment(path.name, hashlib.sha256(data).hexdigest(), len(data), [index], index + 1, index, 1))


def begun(out: Path, segments: int) -> None:
    with Journal(out) as journal:
        journal.begin(HEADER)
        for index in range(segments):
            add(journal, index)


def test_a_run_goes_on_after_its_last_whole_segment(tmp_path: Path) -> None:
    begun(tmp_path / "o.mp4", 3)
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert [s.next_frame for s in journal.segments] == [1, 2, 3]
        assert not journal.complete


def test_another_film_or_setting_is_not_resumed_and_nothing_is_lost(tmp_path: Path) -> None:
    begun(tmp_path / "o.mp4", 2)
    with Journal(tmp_path / "o.mp4") as journal:
        assert not journal.resume(HEADER | {"box": [0, 0, 2, 2]})
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert len(journal.segments) == 2


@pytest.mark.parametrize("damage", ["missing", "short", "changed"])
def test_a_damaged_segment_and_all_after_it_are_left_out(tmp_path: Path, damage: str) -> None:
    begun(tmp_path / "o.mp4", 3)
    with Journal(tmp_path / "o.mp4") as journal:
        path = journal.segment_path(1)
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(b"pack" if damage == "short" else b"Packets")
        assert journal.resume(HEADER)
        assert [s.next_frame for s in journal.segments] == [1]
    with Journal(tmp_path / "o.mp4") as journal:  # and the journal itself was put right
        assert journal.resume(HEADER)
        assert len(journal.segments) == 1


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    begun(tmp_path / "o.mp4", 2)
    with Journal(tmp_path / "o.mp4") as journal:
        text = journal.path.read_text()
        journal.path.write_text(text[:-20])
        assert journal.resume(HEADER)
        assert len(journal.segments) == 1


def test_damage_of_the_input_is_remembered_until_the_end(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.mp4") as journal:
        journal.begin(HEADER)
        add(journal, 0)
        journal.finish(["2 frames lost"])
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert journal.complete
        assert journal.damage == ["2 frames lost"]


def test_two_runs_cannot_work_on_one_output(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.mp4"), pytest.raises(OutputError, match="another run"), Journal(tmp_path / "o.mp4"):
        pass


def test_beginning_afresh_says_what_it_throws_away(tmp_path: Path) -> None:
    begun(tmp_path / "o.mp4", 2)
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.begin(HEADER) == 2
        assert not journal.segment_path(0).exists()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.mp4") as journal:
        journal.begin(HEADER)
        journal.remove()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError), Journal(tmp_path / "o.mp4"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
