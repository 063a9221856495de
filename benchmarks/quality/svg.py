"""Line charts as SVG, written by hand: panels side by side over one legend. Colours are readable on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

COLORS = ("#3b82f6", "#e8710a", "#16a34a", "#d6409f", "#8b5cf6", "#0e9aa7", "#b8860b", "#e5484d")
INK = "#7d8590"
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM, ROW = 420, 320, 62, 34, 18, 48, 20
"""Pixels: of a panel, of the margins around what is drawn in it, and of a row of the legend."""
Places = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """Places joined in their order, each marked by a dot; `notes`, one for each, are shown when it is pointed at."""

    places: Places
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Panel:
    """Lines over common axes. `reference` is a pair of places, joined by a broken line: where x and y agree, or what is wanted."""

    title: str
    across: str
    up: str
    lines: Sequence[Line]
    reference: Places = ()
    zero: bool = False
    """Both axes begin at nought."""


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers, a step of 1, 2 or 5 times a power of ten apart, the first at or below `low` and the last at or above `high`."""
    if not high > low:
        middle = abs(low) or 1
        low, high = low - middle / 2, high + middle / 2
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def draw(panels: Sequence[Panel], legend: Sequence[str]) -> str:
    """An SVG document; the i-th line of every panel has the i-th colour and the i-th name of the legend."""
    height = HEIGHT + ROW * len(legend) + (8 if legend else 0)
    parts = [part for i, panel in enumerate(panels) for part in draw_panel(panel, i * WIDTH)]
    for i, name in enumerate(legend):
        middle = HEIGHT + ROW * i + ROW // 2
        parts.append(f'<path d="M{LEFT} {middle}h26" stroke="{color(i)}" stroke-width="2.5"/>')
        parts.append(text(LEFT + 34, middle + 4, name))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(panels)}" height="{height}" '
    head += f'viewBox="0 0 {WIDTH * len(panels)} {height}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def draw_panel(panel: Panel, left: float) -> list[str]:
    """Axes, reference and lines of one panel."""
    places = [place for line in panel.lines for place in line.places] + list(panel.reference)
    floor = [(0.0, 0.0)] if panel.zero else []
    xs, ys = (ticks(min(values), max(values)) for values in zip(*places, *floor, strict=True))
    begin, end, top, bottom = left + LEFT, left + WIDTH - RIGHT, TOP, HEIGHT - BOTTOM

    def put(x: float, y: float) -> tuple[float, float]:
        return begin + (x - xs[0]) / (xs[-1] - xs[0]) * (end - begin), bottom - (y - ys[0]) / (ys[-1] - ys[0]) * (bottom - top)

    parts = [text((begin + end) / 2, TOP - 14, panel.title, "middle", weight="bold")]
    for x, name in zip(xs, labels(xs), strict=True):
        across = put(x, ys[0])[0]
        parts += [rule(across, top, across, bottom), text(across, bottom + 16, name, "middle")]
    for y, name in zip(ys, labels(ys), strict=True):
        up = put(xs[0], y)[1]
        parts += [rule(begin, up, end, up), text(begin - 7, up + 4, name, "end")]
    parts.append(text((begin + end) / 2, bottom + 36, panel.across, "middle"))
    parts.append(text(left + 14, (top + bottom) / 2, panel.up, "middle", turned=True))
    if panel.reference:
        parts.append(polyline([put(*place) for place in panel.reference], INK, 'stroke-dasharray="5 4"'))
    for i, line in enumerate(panel.lines):
        shown = [put(*place) for place in line.places]
        parts.append(polyline(shown, color(i), 'stroke-width="2"'))
        for j, (x, y) in enumerate(shown):
            note = f"<title>{escape(line.notes[j])}</title>" if line.notes else ""
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color(i)}">{note}</circle>')
    return parts


def color(index: int) -> str:
    return COLORS[index % len(COLORS)]


def labels(values: Sequence[float]) -> list[str]:
    """Numbers with as many decimals as their step needs."""
    decimals = max(0, -math.floor(math.log10(values[1] - values[0]) + 1e-9))
    return [f"{value:.{decimals}f}" for value in values]


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{INK}" stroke-opacity="0.25"/>'


def polyline(places: Places, stroke: str, more: str) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline points="{joined}" fill="none" stroke="{stroke}" {more}/>'


def text(x: float, y: float, words: str, anchor: str = "start", weight: str = "normal", turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"{turn}>{escape(words)}</text>'


def save(path: Path, panels: Sequence[Panel], legend: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(draw(panels, legend))
