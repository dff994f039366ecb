"""Last layers with nothing to learn: they hold a photo's colours, draw lines, and light darks as painters do."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BOX = 5  # side of the box filters that make colours broad, in squares of 8x8 pixels
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class OwnColors(nn.Module):
    """A picture moved by a share of what lies between its broad colours and its photo's: nothing to learn.

    drawn and photo (N, 3, H, W) -> drawn, its colours the photo's wherever one looks at an area, its lines and planes
    untouched. What a network was never shown, a pink cloth or a purple wall, so keeps its hue. Broad is a blur of
    about 20 pixels: means of 8x8, and three box filters over them.
    """

    REACH_PX = 8 * (3 * (_BOX // 2) + 2)  # how far it looks: the boxes, the mean's own square and the one it is bent to

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, drawn: Tensor, photo: Tensor) -> Tensor:
        missing = F.avg_pool2d(photo, 8) - F.avg_pool2d(drawn, 8)
        for _ in range(3):
            missing = _box(missing, _BOX)
        return drawn + self.share * F.interpolate(missing, scale_factor=8, mode="bilinear", align_corners=False)


class Ink(nn.Module):
    """Lines drawn along the dark side of a painting's edges: nothing to learn. (N, 3, H, W) in [-1, 1] -> the same.

    The difference of two blurs, where it says "darker than round about", over the brightness round about, is drawn as
    ink once it passes a threshold: the difference of Gaussians of Winnemöller et al. 2012 ("XDoG"). On a photo it finds
    texture; on a painting, whose texture is gone, outlines. Bright edges, clouds in a sky, get less. Gaussians are
    boxes one after another, of 1.2 and 2.0 pixels. share: how much of what lies under a full line is covered.
    """

    REACH_PX = 5
    _THRESHOLD, _GAIN = 0.025, 14.0  # in parts of the brightness; seen on twelve photos (docs/log.md)
    _DARK = (-0.88, -0.91, -0.89)  # a warm black

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, anime: Tensor) -> Tensor:
        anime = anime.clamp(-1.0, 1.0)
        y = 0.5 + 0.5 * _luma(anime)  # (N, 1, H, W)
        near = _box(_box(y, 3), 3)
        round_about = _box(_box(near, 5), 3)
        darker = (round_about - near) / round_about.clamp(min=0.1)
        line = ((darker - self._THRESHOLD) * self._GAIN).clamp(0.0, 1.0) * (1.2 - near).clamp(0.2, 1.0)
        line = self.share * line
        dark = torch.tensor(self._DARK).view(1, 3, 1, 1)
        return anime + line * (0.85 * dark - 0.85 * anime)


class Light(nn.Module):
    """A painting's shadows lifted, as background paintings are lit: nothing to learn. (N, 3, H, W) in [-1, 1], H and W
    multiples of 4 -> the same.

    A camera leaves shadows dark; in a film's background one sees into them. Brightness smoothed with its edges kept
    is lifted, what is finer is put back (Durand and Dorsey 2002, "Fast bilateral filtering for the display of
    high-dynamic-range images"; the filter is He and Sun 2015, "Fast Guided Filter"), so that ink stays ink. Chroma
    grows with the brightness, hue stays. Black stays black, a night a night. share: of all of it, 0 to 1.
    """

    _SHRINK, _WINDOW = 4, 7  # of the guided filter: it works on the picture shrunk, in boxes of 7x7
    REACH_PX = _SHRINK * (2 * (_WINDOW // 2) + 2)
    _TEXTURE = 0.005  # variance of brightness that counts as fine
    _LIFT = 3.0  # adds at most 0.10, at a brightness of 0.4

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, anime: Tensor) -> Tensor:
        anime = 0.5 + 0.5 * anime.clamp(-1.0, 1.0)
        y = _luma(anime)  # (N, 1, H, W)
        base = self._smoothed(y).clamp(0.0, 1.0)
        lit = base + self.share * self._LIFT * base**2 * (1 - base) ** 3
        gain = (lit + 0.06) / (base + 0.06)
        return 2 * (lit + (y - base) * gain + (anime - y) * gain.sqrt()).clamp(0.0, 1.0) - 1

    def _smoothed(self, y: Tensor) -> Tensor:
        small = F.avg_pool2d(y, self._SHRINK)
        mean = _box(small, self._WINDOW)
        variance = (_box(small * small, self._WINDOW) - mean * mean).clamp(min=0.0)
        slope = variance / (variance + self._TEXTURE)
        line = _box(torch.cat([slope, mean - slope * mean], 1), self._WINDOW)
        line = F.interpolate(line, scale_factor=self._SHRINK, mode="bilinear", align_corners=False)
        return line[:, :1] * y + line[:, 1:]


def _luma(colors: Tensor) -> Tensor:
    red, green, blue = _LUMA
    return red * colors[:, :1] + green * colors[:, 1:2] + blue * colors[:, 2:]


def _box(x: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(x, side, 1, side // 2, count_include_pad=False)
