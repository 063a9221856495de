"""vidcolor colours black-and-white film, or restyles any, and keeps everything else of it.

vidcolor.colorize("film.mp4", "out.mp4")                    # a film, with its sound and all else
with vidcolor.Colorizer() as colorizer:                     # pictures that are arrays
    rgb = colorizer(grey)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vidcolor.version import __version__

if TYPE_CHECKING:
    from vidcolor.api import colorize
    from vidcolor.colorizer import Colorizer

__all__ = ["Colorizer", "__version__", "colorize"]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: `vidcolor --help` need not wait for what they bring."""
    if name == "colorize":
        from vidcolor.api import colorize

        return colorize
    if name == "Colorizer":
        from vidcolor.colorizer import Colorizer

        return Colorizer
    raise AttributeError(f"module 'vidcolor' has no attribute {name!r}")
