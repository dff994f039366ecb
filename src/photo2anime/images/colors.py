"""Converts colours without an ICC profile to sRGB: code numbers (CICP), and linear floating-point light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photo2anime.types import RGB

Floats = NDArray[np.float32]
Values = NDArray[Any]  # float32 or float64; the answer has the same

PQ, HLG = 16, 18
_ADOBE = 1000  # not of H.273: the Adobe RGB that EXIF tells of
_UNKNOWN = 2
_LIKE_SRGB = {1, _UNKNOWN, 6, 13, 14, 15}  # BT.709's curve in a still means sRGB's, as browsers have it
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, _ADOBE: 563 / 256}
_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
PRIMARIES = {  # red, green, blue, white as x, y: ITU-T H.273, table 2
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
    _ADOBE: ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65),
}
NAMES = {9: "BT.2020", 11: "DCI-P3", 12: "Display-P3", _ADOBE: "Adobe RGB", PQ: "PQ", HLG: "HLG"}
WHITE_NITS = 203.0  # what HDR shows white paper at: ITU-R BT.2408
PEAK_NITS = 1000.0  # highlights beyond become white
_PEAK_SHARE = 0.999  # of the pixels are not brighter than the picture's peak
_STRIP_PX = 1 << 20  # worked on at once
_BRIGHTEST = 1e30  # what infinity is taken for
_KEY = 0.18  # Reinhard's middle grey
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class ColorCode:
    """Primaries and transfer curve by their numbers in ITU-T H.273, as HEIC, AVIF, PNG and video give them."""

    primaries: int
    transfer: int

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (PQ, HLG)

    @property
    def is_srgb(self) -> bool:
        """Whether pixels are taken as they are; numbers that say nothing, or nothing known, are."""
        plain = self.primaries not in PRIMARIES or self.primaries == 1
        return plain and (self.transfer in _LIKE_SRGB or not (self.is_hdr or self.transfer in _GAMMAS))

    @property
    def note(self) -> str:
        """One line for the user on what to_srgb does."""
        primaries = NAMES.get(self.primaries, "colours by number")
        if self.is_hdr:
            name = f"{NAMES[self.transfer]}, {NAMES.get(self.primaries, 'BT.709')}"
            return f"is HDR ({name}): tone-mapped to sRGB with the curve of ITU-R BT.2390"
        return f"has no profile but is coded as {primaries}: converted to sRGB"


ADOBE_RGB = ColorCode(_ADOBE, _ADOBE)


def to_srgb(pixels: NDArray[Any], code: ColorCode) -> RGB:
    """(H, W, 3) uint8 or uint16 coded as code says -> sRGB; HDR is tone-mapped, white paper (203 cd/m2) stays white.

    HDR: the electrical-electrical transfer of ITU-R BT.2390, 5.4, from the picture's own peak (99.9 % of its pixels, at
    most 1000 cd/m2) to 203, on the largest of the three colours, so that hues stay. A picture that nowhere exceeds 203
    is only converted. What lies outside sRGB is clipped.
    """
    full = float(np.iinfo(pixels.dtype).max)
    matrix = to_bt709(code.primaries)
    peak = _peak_nits(pixels, full, code) if code.is_hdr else 0.0
    answer = np.empty(pixels.shape, np.uint8)
    rows = max(1, _STRIP_PX // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows].astype(np.float32) / np.float32(full)
        light = _light(strip, code)
        if code.is_hdr:
            light = _tone_mapped(light, peak) / np.float32(WHITE_NITS)
        answer[top : top + rows] = _encoded(light @ matrix.T)
    return answer


def from_float(values: NDArray[Any]) -> tuple[NDArray[np.uint8], str | None]:
    """Floating-point (H, W) or (H, W, 3) as sRGB bytes, and a line on what was done beside clipping to 0 to 1.

    Values are sRGB from 0 to 1. When most pixels lie above, whole numbers are taken for 8 or 16 bit, and others for
    light: tone-mapped with the global operator of Reinhard et al. 2002 (equation 4, key 0.18).
    """
    finite = np.nan_to_num(values.astype(np.float32), posinf=_BRIGHTEST, neginf=0.0)
    brightest = finite if finite.ndim == 2 else finite.max(axis=2)
    if (brightest > 1).mean() <= _MOST:
        return (np.clip(finite, 0, 1) * 255 + 0.5).astype(np.uint8), None
    if brightest.max() <= 65535 and np.array_equal(finite, np.floor(finite)):
        bits = 8 if brightest.max() <= 255 else 16
        scaled = np.clip(finite, 0, None) / (2**bits - 1)
        return (scaled * 255 + 0.5).astype(np.uint8), f"holds whole numbers as float: taken for {bits} bit"
    light = np.clip(finite, 0, None)
    weights = np.asarray((0.2126, 0.7152, 0.0722), np.float32)
    luminance = (light if light.ndim == 2 else light @ weights).astype(np.float64)
    scaled = _KEY * luminance / np.exp(np.log(1e-6 + luminance).mean())
    white = max(float(np.quantile(scaled, _PEAK_SHARE)), 1e-6)
    ratio = _KEY / np.exp(np.log(1e-6 + luminance).mean()) * (1 + scaled / white**2) / (1 + scaled)
    shown = light * (ratio if light.ndim == 2 else ratio[..., None])
    line = "is HDR (most values lie above 1): tone-mapped with Reinhard's global operator"
    return _encoded(shown.astype(np.float32)), line


def to_bt709(primaries: int) -> Floats:
    """Linear light of these primaries -> linear light of BT.709, white to white (Bradford)."""
    source, target = to_xyz(primaries if primaries in PRIMARIES else 1), to_xyz(1)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    cones, wanted = bradford @ source.sum(axis=1), bradford @ target.sum(axis=1)
    adapted = np.linalg.inv(bradford) @ np.diag(wanted / cones) @ bradford
    return np.asarray(np.linalg.inv(target) @ adapted @ source, np.float32)


def to_xyz(primaries: int) -> NDArray[np.float64]:
    """(3, 3): linear light of these primaries to XYZ, with Y = 1 for white."""
    red, green, blue, white = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in PRIMARIES[primaries])
    colors = np.stack([red, green, blue], axis=1)
    return colors * np.linalg.solve(colors, white)


def _light(coded: Floats, code: ColorCode) -> Floats:
    """Coded values 0 to 1 as linear light: 0 to 1, of HDR in cd/m2 on a display of 1000."""
    if code.transfer == PQ:
        return from_pq(coded) * np.float32(10_000)
    if code.transfer == HLG:
        return _hlg_nits(coded)
    if code.transfer in _GAMMAS:
        return coded ** np.float32(_GAMMAS[code.transfer])
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def from_pq(coded: Values) -> Values:
    """SMPTE ST 2084: PQ values 0 to 1 -> light, 1 is 10,000 cd/m2."""
    root = coded ** (32 / 2523)
    light: Values = (np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)) ** (16384 / 2610)
    return light


def to_pq(light: Values) -> Values:
    """The inverse of from_pq."""
    power = np.maximum(light, 0) ** (2610 / 16384)
    coded: Values = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    return coded


def from_hlg(coded: Values) -> Values:
    """ITU-R BT.2100: HLG values 0 to 1 -> light of the scene, 0 to 1; the display's gamma is still to come."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene: Values = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12).astype(coded.dtype)
    return scene


def shown_lower(nits: Values, peak: float) -> Values:
    """The EETF of ITU-R BT.2390, 5.4.1: cd/m2 up to peak -> cd/m2 up to 203; black stays black on both displays."""
    top, most = (float(to_pq(np.array(end / 10_000))) for end in (peak, WHITE_NITS))
    most /= top
    coded = np.minimum(to_pq(nits / 10_000) / top, 1)
    knee = 1.5 * most - 0.5
    t = np.maximum(coded - knee, 0) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    shown: Values = from_pq(np.where(coded < knee, coded, spline).astype(nits.dtype) * top) * 10_000
    return shown


def _hlg_nits(coded: Floats) -> Floats:
    """ITU-R BT.2100: HLG values 0 to 1 -> cd/m2 on a display of 1000 (system gamma 1.2)."""
    scene = from_hlg(coded)
    luminance = scene @ np.asarray((0.2627, 0.6780, 0.0593), np.float32)
    return np.asarray(np.float32(1000) * scene * np.maximum(luminance, 1e-6)[..., None] ** np.float32(0.2))


def _peak_nits(pixels: NDArray[Any], full: float, code: ColorCode) -> float:
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / _STRIP_PX) ** 0.5))
    light = _light(pixels[::step, ::step].astype(np.float32) / np.float32(full), code)
    return float(np.clip(np.quantile(light.max(axis=2), _PEAK_SHARE), WHITE_NITS, PEAK_NITS))


def _tone_mapped(nits: Floats, peak: float) -> Floats:
    """cd/m2 up to peak -> cd/m2 up to 203, by the EETF of BT.2390 (blacks of both displays at 0)."""
    if peak <= WHITE_NITS:
        return nits
    brightest = nits.max(axis=2, keepdims=True)
    return np.asarray(nits * (shown_lower(brightest, peak) / np.maximum(brightest, 1e-6)), np.float32)


@cache
def _srgb_table() -> NDArray[np.uint8]:
    light = np.linspace(0, 1, 1 << 16)
    coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (coded * 255 + 0.5).astype(np.uint8)


def _encoded(light: Floats) -> NDArray[np.uint8]:
    """Linear light as sRGB bytes, clipped to 0 to 1."""
    return np.asarray(_srgb_table()[(np.clip(light, 0, 1) * 65535 + 0.5).astype(np.uint16)])
