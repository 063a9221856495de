"""Pictures that training left out: how near films come to them with the encoder's code, beside a code fitted to each."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.style.judge import GramJudge, Grams, distance
from benchmarks.style.restyle import Clip
from training.style.data import held, read_pictures


def left_out(tar: Path, count: int) -> Iterator[tuple[str, bytes]]:
    """Names and files of the pictures of a tar file that training with --hold-out leaves out."""
    with tarfile.open(tar) as file:
        members = [member for member in file if member.isfile()]
        chosen = held(len(members), count)
        for index, member in enumerate(members):
            if index in chosen and (data := file.extractfile(member)):
                yield Path(member.name).name, data.read()


def extract(tar: Path, count: int, folder: Path) -> list[Path]:
    """Those pictures as files."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for name, data in left_out(tar, count):
        found.append(folder / name)
        found[-1].write_bytes(data)
    return found


def fitted(folder: Path, picture: Path) -> tuple[float, ...]:
    """The code that `training.style.stylize fit` wrote for a picture. Raises FileNotFoundError with what is to be done."""
    path = folder / f"{picture.stem}.pt"
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such code; make it with python -m training.style.stylize fit --style {picture} --out {path} …")
    return tuple(torch.load(path, map_location="cpu", weights_only=True)["code"].flatten().tolist())


def measure(pictures: Sequence[Path], clips: Sequence[Path], codes: Path | None, judge: GramJudge, device: str) -> dict[str, Any]:
    """Gram distance of one frame of each clip to each picture: unstyled, with the encoder's code, with the fitted one."""
    rows: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        films = [stack.enter_context(Clip(path, 1, str(pictures[0]), device)) for path in clips]
        plain = [judge.grams(film.rgb(film.frames[0][1])) for film in films]
        for picture in pictures:
            wanted = judge.style(image for _, image in read_pictures(picture))
            codes_of = {"encoder": code_of(films[0], picture)} | ({"fitted": fitted(codes, picture)} if codes else {})
            seen = {"input": plain} | {key: grams(films, code, judge) for key, code in codes_of.items()}
            row = {key: float(np.mean([distance(each, wanted) for each in found])) for key, found in seen.items()}
            row |= {f"encoder_to_{key}": row["encoder"] / row[key] for key in ("input", "fitted") if key in row}
            rows[picture.stem] = row
            print(f"{picture.stem}: " + ", ".join(f"{key} {value:.3f}" for key, value in row.items()), file=sys.stderr)
    means = {key: float(np.mean([row[key] for row in rows.values()])) for key in next(iter(rows.values()))}
    return {"judge": judge.name, "clips": [path.stem for path in clips], "pictures": rows, "means": means}


def code_of(film: Clip, picture: Path) -> tuple[float, ...]:
    """The encoder's code, as the program has it made."""
    chosen = film.planned(str(picture)).style
    assert chosen is not None
    return chosen.code


def grams(films: Sequence[Clip], code: tuple[float, ...], judge: GramJudge) -> list[Grams]:
    """Of the first frame of each film with a code."""
    found = []
    for film in films:
        assert film.plan.style is not None
        (frame,) = film.run(replace(film.plan, style=replace(film.plan.style, code=code)))
        assert frame.out is not None
        found.append(judge.grams(film.rgb(frame.out)))
    return found
