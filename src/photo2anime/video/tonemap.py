"""Tone mapping: HDR and wide-gamut frames to SDR, BT.709.

The curve is the EETF of ITU-R BT.2390-10, section 5.4.1, from a display of 1000 cd/m2 to one whose white is the diffuse
white of HDR, 203 cd/m2 (ITU-R BT.2408). It is applied to the largest of R, G and B, so that hues stay, and leaves all
below 86 cd/m2 as it is. HLG is shown as on its reference display: 1000 cd/m2, system gamma 1.2 (ITU-R BT.2100).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from photo2anime.images.colors import HLG, PEAK_NITS, PQ, WHITE_NITS, from_hlg, from_pq, shown_lower, to_bt709, to_xyz
from photo2anime.types import RGB
from photo2anime.video.frames import Colors

Floats = NDArray[np.float32]
HDR_TRANSFERS = (PQ, HLG)
_BT2020, _WIDE = 9, {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_HLG_GAMMA = 1.2
_STEPS = 4096  # of the signal, 12 bits; of light 16 times as many, because dark steps are small there
SDR = Colors(range=1, matrix=1, primaries=1, transfer=1)


class ToneMap:
    """Turns pictures of these colours into sRGB. `note` says in a clause what is done."""

    def __init__(self, colors: Colors) -> None:
        self.transfer = colors.transfer
        self.is_hdr = colors.transfer in HDR_TRANSFERS
        primaries = colors.primaries if colors.primaries in (1, *_WIDE) else _BT2020
        wide = _WIDE.get(primaries, "BT.709")
        if self.is_hdr:
            kind = "PQ" if colors.transfer == PQ else "HLG"
            self.note = f"HDR ({kind}, {wide}) is brought to SDR, BT.709, by the curve of ITU-R BT.2390"
        else:
            self.note = f"wide colours ({wide}) are brought to BT.709"
        self.luminance = to_xyz(primaries)[1].astype(np.float32)
        self.to_709 = to_bt709(primaries)

    def __call__(self, signal: NDArray[np.uint16]) -> RGB:
        """signal: (H, W, 3) uint16, full range, R'G'B' as coded. Returns sRGB, (H, W, 3) uint8."""
        light = _light_of(self.transfer)[signal >> 4]
        if self.transfer == HLG:
            shown = np.maximum(_weighted(light, self.luminance), 1e-6) ** np.float32(_HLG_GAMMA - 1)
            light *= shown[..., None]
        if self.is_hdr:  # light is in parts of the peak here, in parts of white after it
            light *= _gains()[_index(np.sqrt(light.max(axis=2)), _STEPS)][..., None]
        out = np.empty(signal.shape, np.uint8)
        for channel in range(3):
            out[..., channel] = _srgb()[_index(_weighted(light, self.to_709[channel]), 16 * _STEPS)]
        return out


def tone_map_for(colors: Colors) -> ToneMap | None:
    """What brings these colours to SDR, BT.709; None for those that are near enough already."""
    is_wide = colors.transfer in HDR_TRANSFERS or colors.primaries in _WIDE
    return ToneMap(colors) if is_wide else None


def _weighted(light: Floats, weights: Floats) -> Floats:
    """(H, W): the sum of the channels. Not by matmul, whose last digits depend on the memory they lie in."""
    total: Floats = light[..., 0] * weights[0] + light[..., 1] * weights[1] + light[..., 2] * weights[2]
    return total


def _index(values: Floats, steps: int) -> NDArray[np.uint16]:
    return (np.clip(values, 0, 1) * np.float32(steps - 1) + np.float32(0.5)).astype(np.uint16)


@cache
def _light_of(transfer: int) -> Floats:
    """Signal in _STEPS steps -> light: of PQ in parts of the peak, of HLG before the display's gamma, else of white."""
    signal = np.linspace(0, 1, _STEPS)
    if transfer == PQ:
        light = np.minimum(from_pq(signal) * 10_000 / PEAK_NITS, 1)
    elif transfer == HLG:
        light = from_hlg(signal)
    else:
        light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@cache
def _gains() -> Floats:
    """Square root of light, in parts of the peak, in _STEPS steps -> what the light is multiplied by."""
    light = np.maximum(np.linspace(0, 1, _STEPS) ** 2 * PEAK_NITS, 1e-3)
    return (shown_lower(light, PEAK_NITS) / light * PEAK_NITS / WHITE_NITS).astype(np.float32)


@cache
def _srgb() -> NDArray[np.uint8]:
    """Light in parts of white, in 16 * _STEPS steps -> sRGB."""
    light = np.linspace(0, 1, 16 * _STEPS)
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * signal).astype(np.uint8)
