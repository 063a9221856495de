"""What x264's presets cost in size and quality, and what they save in processor time, with the program's own options.

    python -m benchmarks.speed.presets --out benchmarks/results/presets.json

The encoder gets the frames that the program would hand it: those of a colour clip as they are, those of a black-and-white one after the
command coloured them. Every preset at the default crf, the faster ones also at the crf that gives the luma PSNR of the first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from benchmarks.shared import places, results
from benchmarks.shared.similarity import psnr, ssim
from benchmarks.speed import command, footage
from vidcolor.media.input.probe import Film, probe
from vidcolor.media.input.reader import Reader
from vidcolor.media.output.choose_encoding import Request, open_encoder, plan_encoding
from vidcolor.media.samples.pack import pack
from vidcolor.picture.planes import Planes

PRESETS, CRF, REPEATS = ("medium", "fast", "faster", "veryfast", "superfast"), 18.0, 3  # the former default comes first
CLIPS = ("bw_his_girl_friday_1940", "bw_silent_chase_wall", "bw_new_york_drive_1940s", "col_football_juggle", "col_dog_and_woman")
ENLARGED, LARGE = ("bw_new_york_drive_1940s", "col_football_juggle"), (1920, 1080)
Picture = tuple[Any, ...]  # code values of Y, Cb and Cr, 8-bit 4:2:0


class Material(NamedTuple):
    film: Film
    frames: list[tuple[int, Picture]]  # the first of them, with their times


def material(source: Path, frames: int, work: Path) -> Material:
    """The first frames of a clip; a black-and-white one (`bw_…`) is coloured by the command first, into FFV1 in `work`."""
    if source.stem.startswith("bw_"):
        target, end = work / f"{source.stem}.mkv", str(1 + frames // 24)  # seconds: no clip has fewer frames in one
        words = [str(source), "-o", str(target), "--codec", "ffv1", "--end", end, "--json"]
        command.timed([sys.executable, "-m", "vidcolor", *words])
        source = target
    film = probe(source)
    with Reader(film) as reader:
        return Material(film, [(pts, (planes.y, planes.cb, planes.cr)) for pts, planes in islice(reader, frames)])


def enlarge(given: Material, width: int, height: int) -> Material:
    """Cropped to the aspect of width : height and enlarged by cubic interpolation."""

    def large(plane: Any, by: int) -> Any:
        return cv2.resize(footage.crop(plane, width, height), (width // by, height // by), interpolation=cv2.INTER_CUBIC)

    film = replace(given.film, layout=replace(given.film.layout, width=width, height=height))
    return Material(film, [(pts, (large(y, 1), large(cb, 2), large(cr, 2))) for pts, (y, cb, cr) in given.frames])


def encode(given: Material, preset: str, crf: float) -> tuple[list[Any], float]:
    """Header and packets by the program's options, and seconds of processor time over all threads, of the encoder alone."""
    encoding = plan_encoding(given.film, Path("out.mkv"), Request("h264", crf, preset))
    pictures = [pack(Planes(y, cb, cr, given.film.layout), encoding.layout, encoding.pix_fmt) for _, (y, cb, cr) in given.frames]
    for (pts, _), picture in zip(given.frames, pictures, strict=True):
        picture.pts, picture.time_base = pts, given.film.time_base
    encoder, begun = open_encoder(given.film, encoding), time.process_time()
    packets = [packet for picture in (*pictures, None) for packet in encoder.encode(picture)]
    return [encoder.extradata, *packets], time.process_time() - begun


def decode(coded: list[Any]) -> list[Picture]:
    """The pictures of an encoder's header and packets."""
    decoder: Any = av.CodecContext.create("h264", "r")
    decoder.extradata = coded[0]
    return [tuple(footage.plane(f, i) for i in range(3)) for packet in (*coded[1:], None) for f in decoder.decode(packet)]


def fidelity(given: Material, seen: list[Picture], *planes: int) -> float:
    """PSNR in dB, peak 255, of squared errors pooled over those planes (0 to 2: Y, Cb, Cr) of all frames; ValueError where one is lost."""
    pairs = [(p[i], q[i]) for (_, p), q in zip(given.frames, seen, strict=True) for i in planes]
    return psnr(mean(float(np.square(np.subtract(a, b, dtype=np.float32)).mean(dtype=np.float64)) for a, b in pairs) / 255**2)


def score(given: Material, coded: list[Any]) -> dict[str, float]:
    """Bytes of the packets; PSNR in dB of luma and of Cb and Cr together; SSIM of luma, mean over frames."""
    seen, size = decode(coded), sum(packet.size for packet in coded[1:])
    alike = mean(ssim(*(x[0].astype(np.float32) / 255 for x in (p, q))) for (_, p), q in zip(given.frames, seen, strict=True))
    return {"bytes": size, "luma_psnr": fidelity(given, seen, 0), "ssim": alike, "chroma_psnr": fidelity(given, seen, 1, 2)}


def matching(given: Material, preset: str, wanted: float) -> float:
    """The crf, in hundredths, at which a preset comes nearest to the wanted luma PSNR in dB: by secants from CRF."""
    crf, slope, known = CRF, 0.7, dict[float, float]()  # decibels beyond what is wanted, by crf
    for _ in range(4):
        known[crf] = fidelity(given, decode(encode(given, preset, crf)[0]), 0) - wanted
        if len(known) > 1:
            slope = max(float(-np.diff(list(known.values()))[-1] / np.diff(list(known))[-1]), 0.1)
        crf = round(crf + known[crf] / slope, 2)
    return min(known, key=lambda crf: abs(known[crf]))


def measure(given: Material, presets: Sequence[str] = PRESETS) -> list[dict[str, Any]]:
    """A row for every preset at CRF, then for all but the first at the first's luma PSNR; all take turns in every repeat."""
    wanted = fidelity(given, decode(encode(given, presets[0], CRF)[0]), 0)
    tries = [(preset, CRF) for preset in presets] + [(preset, matching(given, preset, wanted)) for preset in presets[1:]]
    rounds = [[encode(given, *each) for each in tries] for _ in range(REPEATS)]
    rows: list[dict[str, Any]] = []
    for number, (preset, crf) in enumerate(tries):
        row = {"same": "crf" if number < len(presets) else "luma PSNR", "preset": preset, "crf": crf} | score(given, rounds[0][number][0])
        row["core_ms"] = 1000 * median(each[number][1] for each in rounds) / len(given.frames)
        rows.append(row)
        row |= {"size_ratio": row["bytes"] / rows[0]["bytes"], "cost_ratio": row["core_ms"] / rows[0]["core_ms"]}
    return rows


def averaged(clips: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Means over clips, row by row; `size_ratio` and `cost_ratio` are means of the clips' own ratios."""
    same = zip(*clips, strict=True)
    return [{key: v if isinstance(v, str) else mean(row[key] for row in rows) for key, v in rows[0].items()} for rows in same]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=places.CLIPS)
    parser.add_argument("--frames", type=int, default=48, help="of each clip, from its start")
    parser.add_argument("--out", type=Path, help="write the result here, else to standard output")
    args = parser.parse_args()
    own, large = (sizes := {"own": dict[str, Any](), "×".join(map(str, LARGE)): dict[str, Any]()}).values()
    with tempfile.TemporaryDirectory() as work:
        for name in CLIPS:
            given = material(args.clips / f"{name}.mp4", args.frames, Path(work))
            own[name] = measure(given)
            if name in ENLARGED:
                large[name] = measure(enlarge(given, *LARGE))
            print(name, *own[name], *large.get(name, []), sep="\n", file=sys.stderr)
    found = {size: {"clips": clips, "means": averaged(clips.values())} for size, clips in sizes.items()}
    results.write(results.frame("presets") | {"frames": args.frames, "repeats": REPEATS, "sizes": found}, args.out)


if __name__ == "__main__":
    main()
