"""What colours the photos and clips: the network, checkpoint or peer that the command line asks for."""

from __future__ import annotations

import argparse
from typing import cast

from benchmarks.quality.generators import Checkpoint, Shipped, Source
from benchmarks.quality.peers import OneColor, ResNet6


def load_source(args: argparse.Namespace) -> Source:
    if args.checkpoint:
        return Checkpoint(args.checkpoint, args.tilt, args.threads)
    if args.one_color:
        return cast(OneColor, args.one_color)
    if args.resnet6:
        return ResNet6(args.resnet6, args.threads)
    return Shipped(args.network, args.precision, args.threads)
