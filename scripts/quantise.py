"""Tries int8 on a style: python scripts/quantise.py hayao --photos DIR

Writes OUT/STYLE-int8.onnx: static quantisation per channel (onnxruntime's QDQ), calibrated on examples/, and tells how
far it is from the float32 network on other photos, and how fast both are, in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from PIL import Image

from photo2anime.pixels import to_batch
from photo2anime.runtime import OnnxNetwork
from photo2anime.styles import find_style
from photo2anime.stylizer import Stylizer
from photo2anime.types import RGB
from photo2anime.weights import local_file

EXAMPLES = Path(__file__).parent.parent / "examples"
SPEED_SIZE = (480, 856)


class Examples(CalibrationDataReader):  # type: ignore[misc]
    """The example photos at video size, one after the other."""

    def __init__(self, name: str) -> None:
        photos = (load(file, 480) for file in sorted(EXAMPLES.glob("*.jpg")))
        self.batches: Iterator[dict[str, np.ndarray]] = ({name: to_batch(photo)} for photo in photos)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("style")
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR", help="photos to judge on")
    parser.add_argument("--count", type=int, default=20, help="how many of them")
    parser.add_argument("--float", default="ends", choices=("none", "ends"), help="ends: first and last convolution")
    parser.add_argument("--method", default="MinMax", choices=("MinMax", "Entropy", "Percentile"))
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args()
    card = find_style(args.style)
    source, target = local_file(card), args.out / f"{args.style}-int8.onnx"
    args.out.mkdir(parents=True, exist_ok=True)
    quantise(source, target, args.float == "ends", args.method)
    whole, small = OnnxNetwork(source, device="cpu", card=card), OnnxNetwork(target, device="cpu", card=card)
    photos = [load(file, 480) for file in sorted(args.photos.iterdir())[: args.count]]
    figures = [psnr(Stylizer(whole, card).paint(photo), Stylizer(small, card).paint(photo)) for photo in photos]
    print(f"{args.style}: PSNR int8 to float32 over {len(photos)} photos: mean {np.mean(figures):.2f} dB, ", end="")
    print(f"least {min(figures):.2f} dB; {source.stat().st_size} -> {target.stat().st_size} bytes")
    sessions = {"float32": single_threaded(source), "int8": single_threaded(target)}
    batch = to_batch(np.random.default_rng(0).integers(0, 256, (*SPEED_SIZE, 3), np.uint8))
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(5):
        for name, session in sessions.items():
            began = time.process_time()  # of one thread, so that a busy machine does not count
            session.run(None, {session.get_inputs()[0].name: batch})
            times[name].append(time.process_time() - began)
    for name, values in times.items():
        print(f"{name}: {statistics.median(values) * 1e3:.0f} ms of one core at 856x480, median of {len(values)}")


def single_threaded(file: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def quantise(source: Path, target: Path, float_ends: bool, method: str) -> None:
    model = onnx.load(source)
    convolutions = [node.name for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    quantize_static(
        str(source),
        str(target),
        Examples(model.graph.input[0].name),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[method],
        op_types_to_quantize=["Conv", "Add", "Relu", "LeakyRelu", "Concat"],
        nodes_to_exclude=[convolutions[0], convolutions[-1]] if float_ends else [],
    )


def load(file: Path, side_px: int) -> RGB:
    """The photo with its shorter side at side_px or less, both sides cut to multiples of 8."""
    with Image.open(file) as image:
        scale = min(1.0, side_px / min(image.size))
        size = [max(8, round(side * scale) // 8 * 8) for side in image.size]
        return np.asarray(image.convert("RGB").resize((size[0], size[1]), Image.Resampling.LANCZOS))


def psnr(a: RGB, b: RGB) -> float:
    """Peak signal to noise ratio in dB."""
    error = float(np.mean((a.astype(np.float32) - b.astype(np.float32)) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))


if __name__ == "__main__":
    main()
