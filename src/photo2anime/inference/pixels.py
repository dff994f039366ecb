"""Converts uint8 pixels to the network's range and back, and pads and crops. No other module does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from photo2anime.types import RGB, Batch, MeanColor


def to_batch(rgb: RGB) -> Batch:
    """A batch of one in [-1, 1]: (H, W, 3) uint8 -> (1, 3, H, W) float32, contiguous."""
    batch = np.empty((1, 3, *rgb.shape[:2]), np.float32)
    np.multiply(rgb.transpose(2, 0, 1), np.float32(1 / 127.5), out=batch[0])
    batch -= 1
    return batch


def to_image(batch: Batch) -> RGB:
    """The first picture of a batch, rounded and clipped: (N, 3, H, W) in [-1, 1] -> (H, W, 3) uint8.

    Values outside the range are clipped; a value that is not a number becomes 0.
    """
    scaled = batch[0] * np.float32(127.5)
    scaled += 128  # truncation below then rounds
    np.fmax(scaled, 0, out=scaled)  # fmax takes 0 where there is no number
    np.minimum(scaled, 255, out=scaled)
    image = np.empty((*batch.shape[2:], 3), np.uint8)
    np.copyto(image.transpose(2, 0, 1), scaled, casting="unsafe")
    return image


def mean_color(rgb: RGB) -> MeanColor:
    """The mean colour of a picture, in [-1, 1]: (H, W, 3) uint8 -> (1, 3) float32."""
    return np.array([ImageStat.Stat(Image.fromarray(rgb)).mean], np.float32) / np.float32(127.5) - 1


def pad_bottom_right(rgb: RGB, height: int, width: int) -> RGB:
    """Rgb grown to (height, width): mirrored at the bottom and right as far as the picture goes, then repeated.

    Top-left stays at top-left, so `[:H, :W]` takes the padding off again.
    """
    missing = (height - rgb.shape[0], width - rgb.shape[1])
    if missing == (0, 0):
        return rgb
    mirrored = [(0, min(more, size - 1)) for more, size in zip(missing, rgb.shape[:2], strict=True)]
    grown = np.pad(rgb, (*mirrored, (0, 0)), mode="reflect")
    repeated = [(0, more) for more in (height - grown.shape[0], width - grown.shape[1])]
    return np.pad(grown, (*repeated, (0, 0)), mode="edge")


def next_multiple(size: int, multiple_of: int) -> int:
    """The smallest multiple of multiple_of that is at least size."""
    return -(-size // multiple_of) * multiple_of


def luma(rgb: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness as BT.601 weighs it, in the input's range: (H, W, 3) -> (H, W) float32."""
    return rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
