"""From the style that was asked for, names and pictures, to a code for a style network."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

from vidcolor.backends import choose
from vidcolor.errors import DeviceError, FieldError, InputError
from vidcolor.media.input.probe import Film
from vidcolor.media.stills.pictures import read_picture
from vidcolor.networks.cards import Network, available, find, is_file
from vidcolor.networks.styles import Style, catalogue, check_name, mix, parse_mix, save, unknown_style_error
from vidcolor.picture.matrices import to_rgb_units
from vidcolor.picture.planes import Box, shrink_color, work_size
from vidcolor.pipeline.job import Job
from vidcolor.pipeline.model import StyleChoice
from vidcolor.wording import field

ENCODER = "style-encoder"
"""The network that gives the code of a picture."""
SMALLEST = 32
"""Pixels that the short side of a style picture has at least."""


def choose_style(job: Job, film: Film) -> StyleChoice | None:
    """The style that was asked for, or None; pictures are looked at by the style encoder.

    Raises UsageError for words that cannot be, InputError for a picture that cannot be used, DeviceError for a missing network.
    """
    if job.style is None:
        return None
    if film.layout.transfer != "sdr":
        kind = film.layout.transfer.upper()
        why = f"{film.path.name} is HDR ({kind}), and style networks know SDR pictures only; convert it to SDR first"
        raise FieldError("style", job.style, why)
    code, name = code_of(job.style, job.device)
    network = find(name, "stylize")
    check_code(job.style, code, network)
    return StyleChoice(job.style, network, code, side_of(job, film, network), changes(job, network))


def changes(job: Job, network: Network) -> tuple[tuple[Fraction, tuple[float, ...]], ...]:
    """Times and codes of later styles, in order. Raises UsageError for a time that is given twice, or a style of another network."""
    found: dict[Fraction, tuple[float, ...]] = {}
    for time, word in job.style_at:
        if time in found:
            raise FieldError("style_at", None, f"{float(time):g} s is given twice")
        found[time], name = code_of(word, job.device)
        if name != network.name:
            other = f"{field('style', job.style)} by {network.name}"
            raise FieldError("style_at", word, f"is drawn by {name}, and {other}; a film has one of them")
        check_code(word, found[time], network)
    return tuple(sorted(found.items()))


def check_code(word: str, code: tuple[float, ...], network: Network) -> None:
    """Raise DeviceError for a code that the network does not take."""
    wanted = network.vector_length("code")
    if len(code) != wanted:
        raise DeviceError(f"{field('style', word)}: its code has {len(code)} numbers, and network {network.name} takes {wanted}")


def side_of(job: Job, film: Film, network: Network) -> int:
    """The short side at which the style network looks: as asked, else the card's, but no larger than the film."""
    step = network.card.multiple
    if job.style_size is None:
        short = min(film.layout.width, film.layout.height)
        return min(network.card.work_size, -(-short // step) * step)
    if job.style_size < step or job.style_size % step:
        near = max(step, round(job.style_size / step) * step)
        raise FieldError("style_size", job.style_size, f"must be a multiple of {step}, such as {near}")
    return job.style_size


def code_of(word: str, device: str) -> tuple[tuple[float, ...], str]:
    """The code for the word for a style, and the name of the network that it is for."""
    known, parts = catalogue(), parse_mix(word)
    styles = [(known[name] if name in known else picture_style(name, known, device), share) for name, share in parts]
    by_network = {style.network: style.name for style, _ in styles}
    if len(by_network) > 1:
        said = " and ".join(f"{name} ({network})" for network, name in by_network.items())
        raise FieldError("style", word, f"{said} are drawn by different networks and cannot be mixed")
    for style, _ in styles:
        check_encoder(style)
    return mix([(style.code, share) for style, share in styles]), styles[0][0].network


def style_encoder() -> Network:
    """The network that gives a picture's code. Raises DeviceError where it is not installed."""
    if all(network.name != ENCODER for network in available()):
        raise DeviceError(f"{ENCODER}: this network does not come with this version of vidcolor yet, so a picture cannot be a style")
    return find(ENCODER, "encode-style")


def check_encoder(style: Style) -> None:
    """Raise DeviceError for a code that another style encoder made: it would mean another style here."""
    if style.encoder and not style_encoder().card.sha256.startswith(style.encoder):
        raise DeviceError(f"style {style.name} was added under another version of vidcolor; add it again: vidcolor styles add PICTURE")


def picture_style(name: str, known: dict[str, Style], device: str) -> Style:
    """The style of a picture file, as the encoder sees it."""
    path = Path(name)
    if not is_file(name):
        raise unknown_style_error(name, known)
    return encode(path, path.stem, device)


def encode(path: Path, name: str, device: str = "auto") -> Style:
    """The style of a picture under a name. Raises InputError where it cannot be read or is tiny, DeviceError without the encoder."""
    network = style_encoder()
    planes, extras = read_picture(path)
    layout = planes.layout
    if min(layout.width, layout.height) < SMALLEST:
        raise InputError(f"{path}: is {layout.width}x{layout.height} pixels; a style picture needs at least {SMALLEST} each way")
    turns = extras.rotation // 90
    shown = Box(0, 0, *((layout.height, layout.width) if turns % 2 else (layout.width, layout.height)))
    size = work_size(shown, network.card.work_size, network.card.multiple)
    content = shrink_color(planes, layout.box, size, turns)
    picture = to_rgb_units(content, layout.matrix)[None]
    backend, _ = choose(device)
    # In f32, so that a picture is the same style on every machine.
    with closing(backend.load(network.path, {"picture": picture.shape}, "f32")) as session:
        code = session.run({"picture": picture})["code"][0]
    return Style(name, name, "", "", path.name, "", "stylize", tuple(map(float, code)), network.card.sha256[:16])


def add_style(path: Path, name: str = "", device: str = "auto", overwrite: bool = False) -> tuple[str, Path]:
    """Keep the style of a picture under a name, or its own; returns the name and the file. Raises what `encode` and `save` raise."""
    if not path.is_file():
        raise InputError(f"{path}: no such picture")
    name = name or path.stem
    check_name(name, overwrite)
    return name, save(encode(path, name, device), overwrite)
