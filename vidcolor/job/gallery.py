"""Every style on one frame: a self-contained page, or one picture."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from vidcolor.errors import FieldError
from vidcolor.job.plan import check_input, check_target, examine
from vidcolor.job.publish import write_whole
from vidcolor.job.sheet import Rgb, to_screen
from vidcolor.job.styling import choose_style
from vidcolor.media.input.probe import Film
from vidcolor.networks.styles import Style, catalogue
from vidcolor.picture.planes import Planes
from vidcolor.pipeline.build import Pipeline, full_color, load, quarters
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.sessions import SessionPool

WIDTH, ACROSS, GAP, CAPTION = 480, 4, 8, 28
"""Of a sheet: pixels of a picture, pictures in a row, pixels between them, pixels below for the name."""
PAGES, SHEETS = (".html", ".htm"), (".png", ".jpg", ".jpeg")


class Entry(NamedTuple):
    """One picture of a gallery; the film's own has no style."""

    style: Style | None
    picture: Rgb


def gallery(on: Path, target: Path, device: str = "auto", overwrite: bool = False) -> int:
    """Write every style on a picture, or on a frame from the middle of a film, and return how many there are.

    `target` ends in .html (a page that needs no other file), .png or .jpg (one picture). Raises UsageError for another ending,
    InputError where `on` cannot be used, OutputError where the target exists or cannot be written.
    """
    kind = target.suffix.lower()
    if kind not in PAGES + SHEETS:
        raise FieldError("gallery", target, "is written as a page or a picture; end its name with .html, .png or .jpg")
    check_input(on)
    check_target(target, on, overwrite, "gallery")
    entries = paint(on, device)
    data = page(entries, on.name).encode() if kind in PAGES else _coded(sheet(entries), ".png" if kind == ".png" else ".jpg")
    write_whole(target, data, overwrite)
    return len(entries) - 1


def paint(on: Path, device: str) -> list[Entry]:
    """The frame as it is, then in every style by name."""
    with SessionPool() as pool:
        bare, frames = examine(Job(on, on, device=device), pool, 3)
        planes = frames[len(frames) // 2]
        entries = [Entry(None, shown(planes, bare.film))]
        for name, style in catalogue().items():
            job = replace(bare.job, style=name)
            plan = replace(bare, job=job, style=choose_style(job, bare.film))
            painted = Pipeline(plan, load(plan, pool), full_color(planes.layout)).picture(planes)
            entries.append(Entry(style, shown(painted, bare.film)))
    return entries


def shown(planes: Planes, film: Film) -> Rgb:
    """A picture as a player shows it, WIDTH pixels wide."""
    turns = quarters(film)
    upright = np.rot90(to_screen(planes), turns)
    height, width = upright.shape[:2]
    aspect = float(film.sample_aspect) if turns % 2 == 0 else 1 / float(film.sample_aspect)
    size = WIDTH, max(1, round(WIDTH * height / (width * aspect)))
    return cv2.resize(np.ascontiguousarray(upright), size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def sheet(entries: Sequence[Entry]) -> Rgb:
    """The pictures in rows, each with its name below."""
    height = entries[0].picture.shape[0]
    rows = -(-len(entries) // ACROSS)
    cell = height + CAPTION + GAP
    whole = np.full((rows * cell, ACROSS * (WIDTH + GAP) - GAP, 3), 255, np.uint8)
    for place, entry in enumerate(entries):
        top, left = place // ACROSS * cell, place % ACROSS * (WIDTH + GAP)
        whole[top : top + height, left : left + WIDTH] = entry.picture
        name = entry.style.name if entry.style else "original"
        cv2.putText(whole, name, (left, top + height + CAPTION - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (40, 40, 40), 1, cv2.LINE_AA)
    return whole


def page(entries: Sequence[Entry], title: str) -> str:
    """An HTML page with the pictures inside it."""
    figures = "\n".join(_figure(entry) for entry in entries)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(title)} in every style</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 24px; color: #222; background: #fff }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 20px }}
figure {{ margin: 0 }}
img {{ width: 100%; display: block }}
figcaption small {{ color: #666; display: block }}
</style>
<h1>{html.escape(title)}</h1>
<main>
{figures}
</main>
</html>
"""


def _figure(entry: Entry) -> str:
    data = base64.b64encode(_coded(entry.picture, ".jpg")).decode()
    name, small = "original", ""
    if entry.style:
        name = entry.style.name
        known = (entry.style.title, entry.style.painter, entry.style.date, entry.style.licence)
        small = f"<small>{html.escape(', '.join(text for text in known if text))}</small>"
    caption = f"<figcaption><b>{html.escape(name)}</b>{small}</figcaption>"
    return f'<figure><img alt="{html.escape(name)}" src="data:image/jpeg;base64,{data}">{caption}</figure>'


def _coded(picture: Rgb, suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, np.ascontiguousarray(picture[..., ::-1]))
    assert done
    return bytes(data.tobytes())
