"""What was asked, what will be done and what was done, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from vidcolor.media.encoding import Encoding
from vidcolor.media.probe import Film
from vidcolor.media.streams import StreamPlan
from vidcolor.networks import Network
from vidcolor.planes import Box
from vidcolor.stages.tint import Verdict


@dataclass(frozen=True, slots=True)
class Job:
    """What a person asked for. Times in seconds from the film's start; `threads` 0 means every core this process may use.

    `style` is the word of --style (a name, a picture, a mix), `style_at` pairs of a time and the word from there on; `style_size` the
    short side at which the style network looks, None for its card's.
    """

    input: Path
    out: Path
    vividness: float = 1.0
    network: str = "colorize-fast"
    device: str = "auto"
    steady: Literal["off", "causal"] = "causal"
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    lossless: bool = False
    start: Fraction | None = None
    end: Fraction | None = None
    deinterlace: bool = False
    recolor: bool = False
    only_grey: bool = False
    drop_unsupported: bool = False
    overwrite: bool = False
    resume: bool = False
    threads: int = 0
    prefetch: int = 8
    batch: int = 4
    style: str | None = None
    style_strength: float = 1.0
    style_size: int | None = None
    color_from: Literal["film", "style"] = "style"
    style_at: tuple[tuple[Fraction, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StyleChoice:
    """The style of a plan: its word, the network that draws it, its code, and the short side at which the network looks.

    `changes`: times in seconds from the film's start, in order, with the codes from there on.
    """

    label: str
    network: Network
    code: tuple[float, ...]
    side: int
    changes: tuple[tuple[Fraction, tuple[float, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done to a film, said before it is done. `notes` are whole sentences for the person."""

    job: Job
    film: Film
    verdict: Verdict
    box: Box
    encoding: Encoding | None  # None for a still
    streams: StreamPlan
    network: Network
    device: str
    why: str
    notes: tuple[str, ...]
    style: StyleChoice | None = None

    @property
    def colors(self) -> bool:
        """Whether the generator has work to do: a colour film that is only restyled keeps its own colour."""
        return self.style is None or self.verdict.kind != "colour" or self.job.recolor or self.job.only_grey

    @property
    def frames(self) -> int | None:
        """About how many frames the asked-for part has; None where the film does not say."""
        film, job = self.film, self.job
        if not film.frames or not film.duration:
            return film.frames
        begin = min(job.start or Fraction(0), film.duration)
        finish = film.duration if job.end is None else min(job.end, film.duration)
        return max(1, round(film.frames * (finish - begin) / film.duration))

    def as_dict(self) -> dict[str, Any]:
        film, job = self.film, self.job
        return {
            "input": str(job.input),
            "output": str(job.out),
            "video": f"{film.video.codec} {film.layout.width}x{film.layout.height} {film.pix_fmt}",
            "duration": float(film.duration) if film.duration is not None else None,
            "frames": self.frames,
            "kind": self.verdict.kind,
            "still": film.still,
            "picture": list(self.box),
            "borders": self.box != (0, 0, film.layout.width, film.layout.height),
            "encoder": f"{self.encoding.codec} {self.encoding.pix_fmt}" if self.encoding else "a picture",
            "container": self.encoding.container if self.encoding else job.out.suffix,
            "copied": [describe(s) for s in self.streams.copied],
            "dropped": [f"{describe(s)}: {reason}" for s, reason in self.streams.dropped],
            "network": self.network.name if self.colors else None,
            "device": self.device,
            "why": self.why,
            "vividness": job.vividness,
            "steady": job.steady,
            "style": self._style(),
            "notes": list(self.notes),
        }

    def _style(self) -> dict[str, Any] | None:
        if self.style is None:
            return None
        job = self.job
        return {
            "name": self.style.label,
            "network": self.style.network.name,
            "strength": job.style_strength,
            "size": self.style.side,
            "color_from": job.color_from,
            "changes": [[float(time), word] for time, word in sorted(job.style_at)],
        }


def describe(stream: Any) -> str:
    """One stream in a few words: '#1 audio aac (eng)'."""
    return f"#{stream.index} {stream.kind} {stream.codec}" + (f" ({stream.language})" if stream.language else "")


@dataclass(slots=True)
class Report:
    """What was done. `status` is the exit status: 0, or 3 where the input was damaged. Times in seconds."""

    input: str
    output: str
    status: int = 0
    frames: int = 0
    frames_colored: int = 0
    frames_styled: int = 0
    frames_resumed: int = 0
    shots: int = 0
    segments: int = 0
    seconds: float = 0.0
    first_packet: float | None = None
    size: int = 0
    network: str = ""
    style: str = ""
    device: str = ""
    precision: str = ""
    copied: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)

    @property
    def fps(self) -> float:
        """Frames made in this run by the seconds it took."""
        return (self.frames - self.frames_resumed) / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"fps": round(self.fps, 2)}
