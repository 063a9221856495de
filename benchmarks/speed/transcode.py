"""The yardstick: a plain PyAV transcode, decode and encode with nothing between, every audio track copied.

python -m benchmarks.speed.transcode in.mp4 out.mp4 --preset veryfast --crf 18 --threads 2
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream


def transcode(source: Path, target: Path, codec: str = "libx264", preset: str = "veryfast", crf: float = 18, threads: int = 0) -> int:
    """Frames written. Threads of decoder and encoder each; 0 leaves them to FFmpeg."""
    frames = 0
    with av.open(str(source)) as reader, av.open(str(target), "w", options={"movflags": "+faststart"}) as writer:
        video = reader.streams.video[0]
        video.thread_type = "AUTO"
        video.codec_context.thread_count = threads
        options = {"preset": preset, "crf": f"{crf:g}"}
        encoder = cast(VideoStream, writer.add_stream(codec, rate=video.average_rate, options=options))
        encoder.width, encoder.height, encoder.pix_fmt = video.width, video.height, video.pix_fmt
        if video.time_base:
            encoder.codec_context.time_base = video.time_base
        encoder.codec_context.thread_count = threads
        copies = {track.index: writer.add_stream_from_template(track) for track in reader.streams.audio}
        for packet in reader.demux(video, *reader.streams.audio):
            if packet.stream is not video:
                if packet.dts is not None:
                    packet.stream = copies[packet.stream.index]
                    writer.mux(packet)
                continue
            for frame in cast(list[av.VideoFrame], packet.decode()):
                frame.pict_type = av.video.frame.PictureType.NONE
                writer.mux(encoder.encode(frame))
                frames += 1
        writer.mux(encoder.encode(None))
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--codec", default="libx264")
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--crf", type=float, default=18)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    print(json.dumps({"frames": transcode(args.source, args.target, args.codec, args.preset, args.crf, args.threads)}))


if __name__ == "__main__":
    main()
