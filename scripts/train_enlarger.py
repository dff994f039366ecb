"""How bundles/enlarge.onnx was made: train_enlarger.py DRAWINGS OUT.onnx [--steps 2500].

DRAWINGS: a folder of pictures as the networks draw them, here 240 targets of the look `cel`; five minutes of two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from photo2anime.train.learning.enlarger import train_enlarger
from photo2anime.train.publishing.export import write_enlarger

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=2500)
    args = parser.parse_args()
    write_enlarger(train_enlarger(args.drawings, args.steps), args.out)
    print(args.out)
