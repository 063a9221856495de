"""The journal: what is safe is found again, what is not is left out."""

import errno
import hashlib
from pathlib import Path

import pytest

from vidcolor.errors import OutputError, UsageError
from vidcolor.job.journal import Journal, Segment

HEADER = {"vidcolor": "1", "box": [0, 0, 4, 4], "job": {"crf": 20}, "input": ["a.mp4", 5]}


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
        with pytest.raises(UsageError, match=r"crf: 20, now 30"):
            journal.resume(HEADER | {"job": {"crf": 30}})
        with pytest.raises(UsageError, match="another input"):
            journal.resume(HEADER | {"input": ["b.mp4", 5]})
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
        assert not journal.segment_path(0).exists()


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"", None),
        (b"{not json\n", None),
        (b"\x00\xff\xfe\x80" * 50, None),
        (b"[1, 2]\n{}\n", None),
        (b'"words"\n', None),
        ("{header}\n7\n{first}\n", 0),
        ('{header}\n{{"file": "000000.seg"}}\n{first}\n', 0),
        ('{header}\n{{"nosuch": 1}}\n{first}\n', 0),
        ("{header}\n{first}\n{first}\n", 1),
        ("{header}\n{second}\n", 0),
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
