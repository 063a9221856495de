"""Where to enter a film so that it goes on exactly as if it had been read from its beginning."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidcolor.media.input.probe import demux


class Entry(NamedTuple):
    """A key frame to begin at, and the times of the frames from it on that lie before the first wanted one."""

    pts: int
    seek: int  # the time to seek to
    pos: int | None = None  # where its packet lies in the file, as far as the container says: a clock that restarts gives a time twice
    lead: tuple[int, ...] = ()

    @classmethod
    def at(cls, pts: int, packet: Packet[Any]) -> Entry:
        """The entry at a key frame's packet, which has this pts."""
        return cls(pts, pts if packet.dts is None else min(pts, packet.dts), packet.pos)

    def packets(self, sought: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]] | None:
        """Of the packets behind a seek those from the key frame on; None where it does not come."""
        for packet in sought:
            if packet.is_keyframe and packet.pts == self.pts:
                if self.pos is not None and packet.pos is not None and packet.pos != self.pos:
                    return None
                return chain([packet], sought)
            if packet.dts is not None and packet.dts > self.pts:
                break
        return None

    def agrees(self, frame: av.VideoFrame) -> bool:
        """Whether the key frame's own decoder takes it for one: containers mark places, too, from which pictures only become whole."""
        return frame.pts == self.pts and frame.key_frame and not frame.is_corrupt


def find_entry(container: InputContainer, stream: VideoStream, first: int) -> Entry | None:
    """The last key frame before the pts `first` that also shows the frame before it.

    Packets are read from where the container stands on, without decoding. None where the times of frames are not simply those
    that are stored (some are missing, repeated, or the clock falls back), where something cannot be read, and where the first
    packet is already the key frame, or none is.
    """
    times: list[int] = []
    keys: list[Entry] = []
    decoding: int | None = None
    try:
        for packet in demux(container, stream):
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None:
                return None
            if packet.dts is not None:
                if packet.dts >= first:
                    break
                if decoding is not None and packet.dts < decoding:
                    return None
                decoding = packet.dts
            times.append(packet.pts)
            if packet.is_keyframe:
                keys.append(Entry.at(packet.pts, packet))
    except av.FFmpegError:  # damaged: the reader goes through it and tells
        return None
    before = sorted(pts for pts in times if pts < first)
    entries = [key for key in keys if before and key.pts <= before[-1]]
    if not entries or entries[-1].pts == times[0] or len(set(times)) < len(times):
        return None
    return entries[-1]._replace(lead=tuple(pts for pts in before if pts >= entries[-1].pts))
