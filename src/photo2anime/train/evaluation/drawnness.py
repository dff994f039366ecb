"""How drawn a picture looks to a network that tells drawings from photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from photo2anime.train.data.dataset import as_tensor
from photo2anime.train.networks.inception import INPUT_PX, InceptionV3, load_inception
from photo2anime.types import RGB

_DRAWN = [InceptionV3.KINDS.index(kind) for kind in ("drawing", "hentai")]  # anime of any kind
_MIDDLE = 2  # the middle is shown in this share of the size


@dataclass(frozen=True, slots=True)
class Drawn:
    """Probability that a picture is a drawing, 0 to 1. whole: seen whole. middle: its middle at half size."""

    whole: float
    middle: float


class Drawnness:
    """Call it with a picture, (H, W, 3) uint8, for how drawn it looks.

    The network of nsfwjs (InceptionV3, 299x299) was tuned to tell drawings from photos: Ghibli's stills have 0.90,
    AnimeGANv2's pictures of scenery 0.39, photos 0.07.
    """

    def __init__(self) -> None:
        self._network = load_inception()

    def __call__(self, picture: RGB) -> Drawn:
        height, width = picture.shape[:2]
        side = min(height, width, _MIDDLE * INPUT_PX)
        top, left = (height - side) // 2, (width - side) // 2
        shown = (picture, picture[top : top + side, left : left + side])
        small = [
            Image.fromarray(np.ascontiguousarray(p)).resize((INPUT_PX, INPUT_PX), Image.Resampling.BICUBIC)
            for p in shown
        ]
        with torch.no_grad():
            kinds = self._network.kinds(as_tensor([np.asarray(image) for image in small]))
        whole, middle = kinds[:, _DRAWN].sum(1).tolist()
        return Drawn(whole, middle)
