"""Kernel Inception Distance between painted pictures and pictures of the style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from photo2anime.train.data.dataset import as_tensor
from photo2anime.train.networks.inception import INPUT_PX, load_inception
from photo2anime.types import RGB

_CROPS_A_PICTURE, _CROPS_A_SET = 8, 160
_SUBSETS = 20

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Kid:
    """Kernel Inception Distance times 1000, and its standard deviation over random halves of the crops."""

    distance: float
    spread: float


class KidToStyle:
    """Call it with painted pictures for their Kid to the style pictures it was built with, any names and contents.

    among_themselves: the Kid of one half of the style pictures to the other, about the least that can be reached.
    """

    def __init__(self, animes: list[RGB]) -> None:
        self._network = load_inception()
        self._of_animes = self._features(animes)
        half = len(self._of_animes) // 2
        self.among_themselves = _kid(self._of_animes[:half], self._of_animes[half:])

    def __call__(self, pictures: list[RGB]) -> Kid:
        return _kid(self._features(pictures), self._of_animes)

    def _features(self, pictures: list[RGB]) -> Features:
        with torch.no_grad():
            return np.concatenate([self._network(as_tensor((crop,))).numpy() for crop in crops_for_kid(pictures)])


def crops_for_kid(pictures: list[RGB]) -> list[RGB]:
    """Squares of 299 pixels, at full size, side by side in the middle: up to 8 of each picture, 160 of all.

    KID wants hundreds of pictures, and a few dozen are what one has. Style is in lines and surfaces, which crops at
    full size show, so crops stand for pictures. Painted and style pictures should be of about the same size. A picture
    too small for one crop is enlarged to one.
    """
    crops = []
    for picture in pictures:
        short = min(picture.shape[:2])
        if short < INPUT_PX:
            height, width = (-(-side * INPUT_PX // short) for side in picture.shape[:2])
            picture = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
        rows, cols = picture.shape[0] // INPUT_PX, picture.shape[1] // INPUT_PX
        top, left = (picture.shape[0] - rows * INPUT_PX) // 2, (picture.shape[1] - cols * INPUT_PX) // 2
        places = [(top + r * INPUT_PX, left + c * INPUT_PX) for r in range(rows) for c in range(cols)]
        crops += [picture[y : y + INPUT_PX, x : x + INPUT_PX] for y, x in _spread(places, _CROPS_A_PICTURE)]
    return _spread(crops, _CROPS_A_SET)


def kernel_distance(a: Features, b: Features) -> float:
    """How differently two sets of features are spread: about 0 for the same distribution, and then also below.

    a: (N, D), b: (M, D), N and M at least 2. The unbiased squared maximum mean discrepancy with the kernel
    (x.y / D + 1)^3: Binkowski et al. 2018 ("Demystifying MMD GANs"), section 4.
    """
    n, m, d = len(a), len(b), a.shape[1]
    aa, bb, ab = ((x.astype(np.float64) @ y.T.astype(np.float64) / d + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    within = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(within - 2 * ab.mean())


def _spread(items: list[Any], most: int) -> list[Any]:
    """At most so many of the items, evenly spread."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)]


def _kid(a: Features, b: Features) -> Kid:
    rng = np.random.default_rng(0)

    def half(x: Features) -> Features:
        return x[rng.permutation(len(x))[: max(2, len(x) // 2)]]

    spread = np.std([kernel_distance(half(a), half(b)) for _ in range(_SUBSETS)])
    return Kid(1000 * kernel_distance(a, b), 1000 * float(spread))
