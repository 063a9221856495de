"""Several inputs or a folder: which films, and where each output goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidcolor.errors import InputError, OutputError, UsageError
from vidcolor.media.output.codecs import CONTAINERS
from vidcolor.media.stills.pictures import SUFFIXES as PICTURES
from vidcolor.networks.styles import parse_mix
from vidcolor.wording import field

FILMS = {".3gp", ".avi", ".dv", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv"}
FILMS |= {".ts", ".vob", ".webm", ".wmv"}
SUFFIXES = FILMS | PICTURES.keys()
"""What is taken from a folder; a file that is named is always taken."""

MARK = ".color"


def expand(inputs: Sequence[Path], output: str | None, style: str | None = None) -> list[tuple[Path, Path]]:
    """Pairs of input and output for what the person named.

    Without `output` every output lies beside its input as `name.color.ext`, with a style as `name.STYLE.ext`. With a folder (one that
    exists, or a name that ends in "/" or has no suffix) each keeps its own name in it. Either way a film whose container is not
    written (say .mpg) becomes .mkv. A folder among the inputs stands for the films and pictures in it, by name.

    Raises UsageError for one file and several inputs and for a style that cannot be read, InputError for an empty folder,
    OutputError where the output folder cannot be made.
    """
    mark = MARK if style is None else f".{'+'.join(Path(name).stem for name, _ in parse_mix(style))}"
    films = [film for path in inputs for film in (listed(path, mark) if is_folder(path) else [path])]
    many = len(films) > 1 or any(is_folder(path) for path in inputs)
    if output is None:
        return distinct([(film, film.with_name(film.stem + mark + kept_suffix(film))) for film in films])
    target = Path(output)
    if is_folder(target) or output.endswith("/") or (many and not target.suffix):
        try:
            target.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{target}: cannot be made ({error.strerror}); choose another {field('out')}") from error
        return distinct([(film, target / (film.stem + kept_suffix(film))) for film in films])
    if many:
        raise UsageError(f"{field('out', target)}: is one file, but there are {len(films)} inputs; name a folder")
    return [(films[0], target)]


def is_folder(path: Path) -> bool:
    """As Path.is_dir, but a name that is too long is no folder rather than an error."""
    try:
        return path.is_dir()
    except OSError:
        return False


def kept_suffix(film: Path) -> str:
    return film.suffix if film.suffix.lower() in PICTURES or film.suffix.lower() in CONTAINERS else ".mkv"


def distinct(pairs: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """The pairs, where no two outputs are one file; else raises UsageError."""
    double = [out for _, out in pairs if sum(out == other for _, other in pairs) > 1]
    if double:
        raise UsageError(f"{double[0]}: is the output of several inputs; colour them one by one, or into different folders")
    return pairs


def listed(folder: Path, mark: str = MARK) -> list[Path]:
    """The films and pictures of a folder in the order of their names, without outputs of an earlier batch."""
    try:
        found = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in SUFFIXES and not p.stem.endswith(mark))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    if not found:
        raise InputError(f"{folder}: holds no films or pictures")
    return found
