"""What a film is found to be, what will be done and what was done, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

from vidcolor.analysis.tint import Verdict
from vidcolor.backends.base import Backend
from vidcolor.media.input.probe import Film
from vidcolor.media.output.choose_encoding import Encoding
from vidcolor.media.output.streams import StreamPlan
from vidcolor.networks.cards import Network
from vidcolor.picture.planes import Box
from vidcolor.pipeline.job import Job


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
class Look:
    """What a film is, from frames spread over it: whether it has colour, and which part of the frame is picture."""

    film: Film
    verdict: Verdict
    box: Box


NO_STREAMS = StreamPlan(())


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done to a film, said before it is done. `notes` are whole sentences for the person.

    `encoding` is None for a picture, and where nothing is to be written. `why` says why it is this backend.
    """

    job: Job
    look: Look
    network: Network
    backend: Backend
    why: str
    style: StyleChoice | None = None
    encoding: Encoding | None = None
    streams: StreamPlan = NO_STREAMS
    notes: tuple[str, ...] = ()

    @property
    def film(self) -> Film:
        return self.look.film

    @property
    def colors(self) -> bool:
        """Whether the generator has work to do: a colour film that is only restyled keeps its own colour."""
        return self.style is None or self.look.verdict.kind != "color" or self.job.recolor or self.job.only_grey

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
            "kind": self.look.verdict.kind,
            "still": film.still,
            "picture": list(self.look.box),
            "borders": self.look.box != film.layout.box,
            "encoder": f"{self.encoding.codec} {self.encoding.pix_fmt}" if self.encoding else "a picture",
            "container": self.encoding.container if self.encoding else job.out.suffix,
            "copied": [describe(s) for s in self.streams.copied],
            "dropped": [f"{describe(s)}: {reason}" for s, reason in self.streams.dropped],
            "network": self.network.name if self.colors else None,
            "device": self.backend.name,
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
