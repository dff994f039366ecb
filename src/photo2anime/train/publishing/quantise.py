"""Quantises a network from float32 to int8, for video on processors with fast 8-bit arithmetic."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

from photo2anime.images.image_io import read_image
from photo2anime.inference.pixels import mean_color, to_batch
from photo2anime.inference.weights import sha256
from photo2anime.painting.stylizer import Stylizer
from photo2anime.train.data.dataset import pictures_in
from photo2anime.train.evaluation.metrics import psnr
from photo2anime.types import RGB, Photo2AnimeError, StyleCard

_SIDE_PX = 480  # shorter side of the photos it is calibrated and judged on: a video's
_LEAST_PSNR_DB = 32.0


def quantise(file: Path, card: StyleCard, photos: Path) -> tuple[StyleCard, float]:
    """The card with the int8 network that now lies beside file, and its PSNR to the float32 one, in dB.

    Static quantisation per channel in ONNX Runtime's QDQ form, ranges from every other photo of the folder, PSNR on the
    rest; what touches pixels stays as it is: the first convolution, and the last with all that follows. Raises
    Photo2AnimeError, and leaves no file, when the PSNR is below 32 dB.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    files = list(pictures_in(photos).values())
    if len(files) < 2:
        raise Photo2AnimeError(f"{photos} has fewer than two photos; some calibrate, others judge")
    graph = onnx.load(file).graph
    photo_name, *others = [fed.name for fed in graph.input]
    names = [node.name for node in graph.node]
    convolutions = [index for index, node in enumerate(graph.node) if node.op_type == "Conv"]

    class Photos(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            small = map(_small, files[::2])
            self.batches: Iterator[dict[str, NDArray[np.float32]]] = (
                {photo_name: to_batch(photo), **dict.fromkeys(others, mean_color(photo))} for photo in small
            )

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self.batches, None)

    target = file.with_name(f"{file.stem}-int8.onnx")
    logging.getLogger().addFilter(_is_news)
    quantize_static(
        str(file),
        str(target),
        Photos(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Add", "Relu", "LeakyRelu", "Concat"],
        nodes_to_exclude=[names[convolutions[0]], *names[convolutions[-1] :]],
    )
    whole, small = (Stylizer.load(network, device="cpu") for network in (file, target))
    kept = float(np.mean([psnr(small.paint(photo), whole.paint(photo)) for photo in map(_small, files[1::2])]))
    if kept < _LEAST_PSNR_DB:
        target.unlink()
        raise Photo2AnimeError(f"in int8 the network is only {kept:.1f} dB near itself; it stays float32")
    return replace(card, int8_file=target.name, int8_sha256=sha256(target)), kept


def _is_news(record: logging.LogRecord) -> bool:
    """Filters out onnxruntime's advice to pre-process, which it logs for every network."""
    return "pre-processing" not in record.getMessage()


def _small(file: Path) -> RGB:
    """The photo with its shorter side at _SIDE_PX or less, both sides multiples of 8."""
    image = Image.fromarray(read_image(file).rgb)
    scale = min(1.0, _SIDE_PX / min(image.size))
    width, height = (max(8, round(side * scale) // 8 * 8) for side in image.size)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
