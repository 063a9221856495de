"""The encoders and containers that a person can ask for by name, and what each of them knows: facts, no decisions."""

from __future__ import annotations

from dataclasses import dataclass, field

X264_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")


@dataclass(frozen=True, slots=True)
class Coder:
    """One encoder: FFmpeg's name, its quality scale, its presets, its lossless mode.

    `crf` is (lowest, highest, default) and `crf_option` the option that takes it; `crf` is None where the preset alone sets the
    quality. `presets` maps the words a person may use to encoder options. `lossless` holds the options of the lossless mode, None
    where there is none. `formats` limits FFmpeg's list, which names for hardware also what the driver converts (16 bits that
    become 10).
    """

    name: str
    crf: tuple[float, float, float] | None = None
    crf_option: str = "crf"
    presets: dict[str, dict[str, str]] = field(default_factory=dict)
    default_preset: str | None = None
    lossless: dict[str, str] | None = None
    options: dict[str, str] = field(default_factory=dict)
    interlaced: bool = False
    formats: tuple[str, ...] | None = None


def _words(option: str, words: tuple[str, ...]) -> dict[str, dict[str, str]]:
    return {word: {option: word} for word in words}


def _numbers(option: str, last: int) -> dict[str, dict[str, str]]:
    return {str(number): {option: str(number)} for number in range(last + 1)}


def _nvenc(name: str, formats: tuple[str, ...]) -> Coder:
    return Coder(
        name,
        crf=(0, 51, 20),
        crf_option="cq",
        presets=_words("preset", tuple(f"p{n}" for n in range(1, 8))),
        default_preset="p5",
        lossless=None if name.startswith("av1") else {"tune": "lossless"},
        options={"rc": "vbr", "b": "0"},
        formats=formats,
    )


CODERS: dict[str, Coder] = {
    "h264": Coder(
        "libx264", (0, 51, 18), presets=_words("preset", X264_PRESETS), default_preset="faster", lossless={"qp": "0"}, interlaced=True
    ),
    "hevc": Coder(
        "libx265",
        (0, 51, 20),
        presets=_words("preset", X264_PRESETS),
        default_preset="medium",
        lossless={"x265-params": "lossless=1"},
        options={"x265-params": "log-level=error"},
    ),
    "av1": Coder("libsvtav1", (1, 63, 26), presets=_numbers("preset", 13), default_preset="8"),
    "vp9": Coder(
        "libvpx-vp9",
        (0, 63, 24),
        presets=_numbers("cpu-used", 8),
        default_preset="3",
        lossless={"lossless": "1"},
        options={"b": "0", "row-mt": "1"},
    ),
    "ffv1": Coder("ffv1", lossless={}, options={"level": "3", "g": "1", "slicecrc": "1"}, interlaced=True),
    "prores": Coder(
        "prores_ks",
        presets=_words("profile", ("proxy", "lt", "standard", "hq", "4444", "4444xq")),
        options={"vendor": "apl0"},
        interlaced=True,
    ),
    "dnxhr": Coder("dnxhd", presets=_words("profile", ("dnxhr_lb", "dnxhr_sq", "dnxhr_hq", "dnxhr_hqx", "dnxhr_444"))),
    "h264_nvenc": _nvenc("h264_nvenc", ("yuv420p", "yuv444p")),
    "hevc_nvenc": _nvenc("hevc_nvenc", ("yuv420p", "yuv444p", "p010le")),
    "av1_nvenc": _nvenc("av1_nvenc", ("yuv420p", "p010le")),
    "h264_qsv": Coder("h264_qsv", (1, 51, 20), "global_quality", _words("preset", X264_PRESETS[2:9]), "medium", formats=("nv12",)),
    "hevc_qsv": Coder("hevc_qsv", (1, 51, 20), "global_quality", _words("preset", X264_PRESETS[2:9]), "medium", formats=("nv12", "p010le")),
    "h264_amf": Coder(
        "h264_amf", (0, 51, 20), "qvbr_quality_level", _words("quality", ("speed", "balanced", "quality")), "balanced", formats=("yuv420p",)
    ),
    "hevc_amf": Coder(
        "hevc_amf",
        (0, 51, 20),
        "qvbr_quality_level",
        _words("quality", ("speed", "balanced", "quality")),
        "balanced",
        formats=("yuv420p", "p010le"),
    ),
    "h264_videotoolbox": Coder("h264_videotoolbox", (1, 100, 65), "q:v", formats=("yuv420p",)),
    "hevc_videotoolbox": Coder("hevc_videotoolbox", (1, 100, 65), "q:v", formats=("yuv420p", "p010le")),
}
"""By the name a person uses. Ranges of `crf` are those of FFmpeg's encoder documentation."""

ALIASES = {
    "h265": "hevc",
    "x264": "h264",
    "x265": "hevc",
    "svtav1": "av1",
    "dnxhd": "dnxhr",
    **{coder.name: name for name, coder in CODERS.items()},
}
ALIASES = {alias: name for alias, name in ALIASES.items() if alias not in CODERS}

CONTAINERS: dict[str, str] = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".qt": "mov",
    ".mkv": "matroska",
    ".mk3d": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mts": "mpegts",
    ".flv": "flv",
    ".3gp": "3gp",
}
"""FFmpeg's muxer by the suffix of the output's name."""

UNSUITABLE = {
    **dict.fromkeys((".mpg", ".mpeg", ".vob"), "MPEG program streams do not keep the time of every frame; use .ts, .mp4 or .mkv"),
    **dict.fromkeys((".gif", ".wmv", ".ogv"), "this container holds none of the codecs that are written; use .mp4 or .mkv"),
}
"""Suffixes of films that can be read but are not written, and why."""

DEFAULT_CODEC = {"webm": "vp9"}
"""What is used where no codec is asked for and H.264 does not fit."""

MOVIES = ("mp4", "mov", "3gp")
"""Muxers of the QuickTime family."""

ATTACHED_COVERS = ("matroska",)
"""Muxers that keep cover art as an attached file."""

KEEP_CHAPTERS = (*MOVIES, "matroska", "webm")
KEEP_ROTATION = (*MOVIES, "matroska", "webm")
KEEP_ASPECT = MOVIES
"""Containers that say the shape of the pixels for any codec. Matroska could, but PyAV has no way to tell its muxer."""
CODED_ASPECT = ("libx26", "h264_", "hevc_")
"""Encoders that write it into the pictures themselves, where every container carries it."""

HELD: dict[str, frozenset[str]] = {
    "mpegts": frozenset(
        "mpeg1video mpeg2video mpeg4 h264 hevc vvc vc1 mp1 mp2 mp3 aac aac_latm ac3 eac3 dts truehd opus dvb_subtitle dvb_teletext "  # noqa: SIM905
        "smpte_klv timed_id3 scte_35".split()
    ),
}
"""What these containers hold in truth: FFmpeg's muxers write any codec as private data that nobody can read back."""

SHIFTS_TO_ZERO = ("mpegts", "flv")
"""Muxers that take no times below 0: everything is moved together until the first dts is 0."""

ITUNES_TAGS = frozenset(
    "title artist album_artist composer album date comment genre copyright grouping lyrics description synopsis show episode_id "  # noqa: SIM905
    "network keywords track disc rating language creation_time".split()
)
"""Tags that MP4 keeps without a list of its own keys."""

FILE_TAGS: dict[str, frozenset[str]] = {
    "mpegts": frozenset({"service_name", "service_provider"}),
    "avi": frozenset({"title", "artist", "album", "comment", "copyright", "date", "genre", "track", "software", "language"}),
    "3gp": ITUNES_TAGS,
}
"""Tags of the whole file that these containers keep; the others keep tags of any name."""

TRACK_TAGS: dict[str, frozenset[str]] = {
    **dict.fromkeys(MOVIES, frozenset({"language", "title", "handler_name", "timecode", "creation_time"})),
    "mpegts": frozenset({"language"}),
    "avi": frozenset({"title"}),
    "flv": frozenset(),
}
"""Tags of a track that these containers keep; the others keep tags of any name."""

NO_DISPOSITIONS = ("mpegts", "flv", "avi", "3gp")

MAC_LANGUAGES = {
    **{"deu": "ger", "nld": "dut", "swe": "sve", "isl": "ice", "zho": "chi", "sqi": "alb", "rum": "ron", "cze": "ces", "slo": "slk"},
    **{"fre": "fra", "hye": "arm", "kat": "geo", "mkd": "mac", "bod": "tib", "mya": "bur", "msa": "may", "cym": "wel", "eus": "baq"},
}
"""ISO 639-2 codes that QuickTime knows by another code of the same language."""
