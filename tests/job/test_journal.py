"""The journal: what is safe is found again, what is not is left out."""

import errno
import hashlib
from pathlib import Path

import pytest

from vidcolor.errors import OutputError, UsageError
from vidcolor.job.journal import Journal, Range, Segment, segment_path

HEADER = {"vidcolor": "1", "box": [0, 0, 4, 4], "job": {"crf": 20}, "input": ["a.mp4", 5]}


def segment(folder: Path, index: int, data: bytes = b"packets", *, last: bool = False) -> Segment:
    """One of ten frames, from 10 · index on; the first begins the film."""
    path = segment_path(folder, 10 * index)
    path.write_bytes(data)
    until, lead = (None, None) if last else (10 * index + 10, 10 * index + 5)
    pts = list(range(10 * index, 10 * index + 10))
    return Segment(path.name, hashlib.sha256(data).hexdigest(), len(data), pts[0] if index else None, until, pts, lead, 1, 77, [], [])


def add(journal: Journal, index: int, data: bytes = b"packets", *, last: bool = False) -> None:
    journal.add(segment(journal.folder, index, data, last=last))


def begun(out: Path, segments: int) -> None:
    with Journal(out) as journal:
        journal.begin(HEADER)
        for index in range(segments):
            add(journal, index)


def test_a_run_goes_on_after_its_last_whole_segment(tmp_path: Path) -> None:
    begun(tmp_path / "o.mp4", 3)
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert [s.until for s in journal.segments] == [10, 20, 30]
        assert journal.gaps() == [Range(30, None, 25, (29, 77))]
        assert journal.frames == 30
        assert not journal.complete


def test_another_film_or_setting_is_not_resumed_and_nothing_is_lost(tmp_path: Path) -> None:
    begun(tmp_path / "o.mp4", 2)
    with Journal(tmp_path / "o.mp4") as journal:
        with pytest.raises(UsageError, match=r"crf: 20, now 30"):
            journal.resume(HEADER | {"job": {"crf": 30}})
        with pytest.raises(UsageError, match="another input"):
            journal.resume(HEADER | {"input": ["b.mp4", 5]})
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert len(journal.segments) == 2


@pytest.mark.parametrize("damage", ["missing", "short", "changed"])
def test_a_damaged_segment_is_left_out_and_is_to_be_made_again(tmp_path: Path, damage: str) -> None:
    begun(tmp_path / "o.mp4", 3)
    with Journal(tmp_path / "o.mp4") as journal:
        path = segment_path(journal.folder, 10)
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(b"pack" if damage == "short" else b"Packets")
        assert journal.resume(HEADER)
        assert [s.until for s in journal.segments] == [10, 30]
        gaps = [Range(10, 20, 5, (9, 77)), Range(30, None, 25, (29, 77))]
        assert journal.gaps() == gaps
    with Journal(tmp_path / "o.mp4") as journal:  # and the journal itself was put right
        assert journal.resume(HEADER)
        assert journal.gaps() == gaps


def test_segments_may_be_made_in_any_order(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.mp4") as journal:
        journal.begin(HEADER)
        assert journal.gaps() == [Range()]
        add(journal, 2, last=True)
        assert journal.gaps() == [Range(until=20)]
        add(journal, 0)
        assert journal.gaps() == [Range(10, 20, 5, (9, 77))]
        add(journal, 1)
        assert journal.gaps() == []
        journal.finish([], [])
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert journal.complete
        assert [s.pts[0] for s in journal.segments] == [0, 10, 20]


def test_a_journal_that_calls_itself_complete_with_a_gap_is_not(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.mp4") as journal:
        journal.begin(HEADER)
        add(journal, 0)
        add(journal, 1, last=True)
        journal.finish([], [])
        segment_path(journal.folder, 0).unlink()
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert not journal.complete
        assert journal.gaps() == [Range(until=10)]


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
        add(journal, 0, last=True)
        journal.finish(["2 frames lost"], ["times derived"])
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert journal.complete
        assert (journal.damage, journal.notes) == (["2 frames lost"], ["times derived"])


def test_two_runs_cannot_work_on_one_output(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.mp4"), pytest.raises(OutputError, match="another run"), Journal(tmp_path / "o.mp4"):
        pass


def test_beginning_afresh_says_what_it_throws_away(tmp_path: Path) -> None:
    begun(tmp_path / "o.mp4", 2)
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.begin(HEADER) == 2
        assert not segment_path(journal.folder, 0).exists()


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"", None),
        (b"{not json\n", None),
        (b"\x00\xff\xfe\x80" * 50, None),
        (b"[1, 2]\n{}\n", None),
        (b'"words"\n', None),
        ("{header}\n7\n{first}\n", 0),
        ('{header}\n{{"file": "0.seg"}}\n{first}\n', 0),
        ('{header}\n{{"nosuch": 1}}\n{first}\n', 0),
        ("{header}\n{first}\n{first}\n", 1),
        ("{header}\n{second}\n", 1),
        ("{header}\n{first}\n\x00\x00\x00\n{second}\n", 1),
    ],
    ids=["empty", "no json", "binary", "a list", "a word", "a number", "fields missing", "other fields", "twice", "a gap", "zeros"],
)
def test_a_journal_of_rubbish_never_fails_and_is_taken_up_to_the_rubbish(tmp_path: Path, content: bytes | str, whole: int | None) -> None:
    begun(tmp_path / "o.mp4", 2)
    with Journal(tmp_path / "o.mp4") as journal:
        header, first, second = journal.path.read_text().splitlines()
        if isinstance(content, str):
            content = content.format(header=header, first=first, second=second).encode()
        journal.path.write_bytes(content)
        found = journal.resume(HEADER)
        assert (len(journal.segments) if found else None) == whole
        if found is None:
            assert journal.begin(HEADER) == 2


def test_a_full_disk_is_told_and_what_was_safe_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    begun(tmp_path / "o.mp4", 2)
    with monkeypatch.context() as patched, pytest.raises(OutputError, match="free some space"), Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        patched.setattr("os.fsync", full)
        add(journal, 2)
    with Journal(tmp_path / "o.mp4") as journal:
        assert journal.resume(HEADER)
        assert len(journal.segments) >= 2


def test_a_film_that_just_got_its_name_is_known_again(tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    begun(out, 1)
    with Journal(out) as journal:
        whole = journal.folder / "whole.mp4"
        whole.write_bytes(b"film")
        journal.publishing(whole)
        whole.replace(out)
        assert journal.published(out)
        out.write_bytes(b"another film")
        assert not journal.published(out)


def test_the_journal_is_cleared_away_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path / "o.mp4", 2)
    order: list[str] = []
    unlink = Path.unlink
    with Journal(tmp_path / "o.mp4") as journal, monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda self, **words: (order.append(self.name), unlink(self, **words))[1])
        journal.remove()
    assert len(order) == 4
    assert order[-2:] == ["journal.jsonl", "lock"]


def test_what_others_put_into_the_folder_stays(tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    (tmp_path / "o.mp4.part" / "holiday").mkdir(parents=True)
    (tmp_path / "o.mp4.part" / "notes.txt").write_text("mine")
    with Journal(out) as journal:
        journal.begin(HEADER)
        add(journal, 0)
        journal.remove()
    assert sorted(p.name for p in (tmp_path / "o.mp4.part").iterdir()) == ["holiday", "notes.txt"]


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Journal(tmp_path / "o.mp4") as journal:
        journal.begin(HEADER)
        journal.remove()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError), Journal(tmp_path / "o.mp4"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    begun(tmp_path / "o.mp4", 0)  # nothing is safe yet
    assert list(tmp_path.iterdir()) == []
