"""Colour grading: the curves of grades.toml, applied to a drawing as one 3-D lookup table."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from photo2anime.types import RGB, Photo2AnimeError

# Where the named hues lie on the circle of CIELAB, in degrees, as measured on sRGB colours of those names.
HUES = {"red": 32.0, "skin": 58.0, "yellow": 95.0, "green": 132.0, "teal": 200.0, "sky": 268.0, "violet": 315.0}
_TABLE = 33  # colours on a side of the table; between them Pillow interpolates
_NEUTRAL_CHROMA = 10.0  # tints of shadow and light fade around this chroma: they are for greys, and turn no skin
_FULL_CHROMA = 14.0  # from this chroma on a colour counts as one of its hue; greys have none, a storm's sky little
_NIGHT = 50.0  # L* below which less chroma is added, so that a night is not turned into a day
_STRIP_ROWS = 512
_GLOW_FROM = 200  # brightness of 255 from which on things glow
_GLOW_SHARE = 1 / 90  # of the longer side: how far light spreads

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """How one hue changes. turn: degrees on CIELAB's circle. chroma: factor. light: added to L*, 0 to 100."""

    turn: float = 0.0
    chroma: float = 1.0
    light: float = 0.0


@dataclass(frozen=True, slots=True)
class Grade:
    """A film's colours. bands: in the order of `HUES`; what lies between two hues gets a mixture.

    shadow, light: (a*, b*) added where it is dark or bright, least to what has a colour of its own. gamma: of L*, above
    1 brightens. contrast: how much steeper L* is in the middle, 0 for not. black, white: what L* 0 and 100 become.
    glow: how much bright places shine around them.
    """

    bands: tuple[Band, ...]
    shadow: tuple[float, float] = (0.0, 0.0)
    light: tuple[float, float] = (0.0, 0.0)
    gamma: float = 1.0
    contrast: float = 0.0
    black: float = 0.0
    white: float = 100.0
    glow: float = 0.0

    def __call__(self, drawn: RGB) -> RGB:
        """The drawing in the film's colours: (H, W, 3) uint8 -> the same."""
        light = _light(drawn, self) if self.glow else None
        graded = np.empty_like(drawn)
        for top in range(0, len(drawn), _STRIP_ROWS):  # so that memory does not grow by copies of the whole
            strip = Image.fromarray(drawn[top : top + _STRIP_ROWS]).filter(_table(self))
            lit = strip if light is None else _lit(strip, light, top, self.glow)
            graded[top : top + _STRIP_ROWS] = np.asarray(lit)
        return graded


@cache
def grades() -> dict[str, Grade]:
    """Every grade of grades.toml by name."""
    text = resources.files("photo2anime").joinpath("painting/grades.toml").read_text(encoding="utf-8")
    return {name: _from_row(row) for name, row in tomllib.loads(text).items()}


def find_grade(name: str) -> Grade:
    """The grade of that name. Raises Photo2AnimeError when there is none."""
    if name not in grades():
        raise Photo2AnimeError(f"no grade called {name}; there are {', '.join(grades())}")
    return grades()[name]


def _from_row(row: dict[str, Any]) -> Grade:
    bands = tuple(Band(**row.pop(hue, {})) for hue in HUES)
    facts: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Grade(bands, **facts)


@cache
def _table(grade: Grade) -> ImageFilter.Color3DLUT:
    """The grade as Pillow's table of 33x33x33 colours."""
    steps = np.linspace(0, 1, _TABLE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    colors = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    return ImageFilter.Color3DLUT(_TABLE, _shown(graded_lab(srgb_to_lab(colors), grade)).ravel().tolist())


def _shown(lab: Array) -> Array:
    """Colours as sRGB in 0 to 1, hue and lightness kept: what it cannot show loses as little chroma as it has to."""
    lab[:, 0] = lab[:, 0].clip(0, 100)

    def with_chroma(share: Array) -> Array:
        return lab_to_srgb(lab * np.stack([np.ones_like(share), share, share], axis=-1))

    def inside(share: Array) -> NDArray[np.bool_]:
        return np.asarray((np.abs(with_chroma(share) - 0.5) <= 0.502).all(axis=1))

    most = np.ones(len(lab))
    least = np.where(inside(most), 1.0, 0.0)
    for _ in range(7):
        share = (least + most) / 2
        fits = inside(share)
        least, most = np.where(fits, share, least), np.where(fits, most, share)
    return with_chroma(least).clip(0, 1)


def graded_lab(lab: Array, grade: Grade) -> Array:
    """Colours in the film's: (N, 3) CIELAB -> the same."""
    lightness, a, b = lab.T
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    colored = np.clip(chroma / _FULL_CHROMA, 0, 1)
    turn, factor, lift = (colored * _of_hue(hue, grade, fact) for fact in ("turn", "chroma", "light"))
    more = factor - colored
    factor = 1 + np.where(more > 0, more * np.clip(lightness / _NIGHT, 0, 1), more)
    x = np.clip(lightness / 100, 0, 1) ** (1 / grade.gamma)
    x = x + grade.contrast * (x - 0.5) * 4 * x * (1 - x)
    toned = grade.black + (grade.white - grade.black) * x + lift * 4 * x * (1 - x)
    neutral = np.exp(-((chroma / _NEUTRAL_CHROMA) ** 2))
    tint = [
        neutral * ((1 - x) ** 2 * shadow + x**2 * light)
        for shadow, light in zip(grade.shadow, grade.light, strict=True)
    ]
    angle = np.radians(hue + turn)
    moved: Array = np.stack(
        [toned, factor * chroma * np.cos(angle) + tint[0], factor * chroma * np.sin(angle) + tint[1]], axis=-1
    )
    return moved


def _of_hue(hue: Array, grade: Grade, fact: str) -> Array:
    """A fact of the bands at each hue, smooth around the circle."""
    angles = np.array(list(HUES.values()))
    values = np.array([getattr(band, fact) for band in grade.bands], np.float64)
    after = np.searchsorted(angles, hue) % len(angles)
    before = after - 1
    way = ((hue - angles[before]) % 360) / ((angles[after] - angles[before]) % 360)
    way = way * way * (3 - 2 * way)
    at: Array = values[before] + way * (values[after] - values[before])
    return at


@dataclass(frozen=True, slots=True)
class _Light:
    """The bright parts of a picture, blurred. spread: the picture shrunk by factor."""

    spread: Image.Image
    factor: int


def _light(drawn: RGB, grade: Grade) -> _Light:
    reach = max(drawn.shape) * _GLOW_SHARE
    factor = max(1, int(reach // 4))
    small = Image.fromarray(drawn).reduce(factor).filter(_table(grade))
    bright = small.point(lambda value: max(0, value - _GLOW_FROM) * 255 // (255 - _GLOW_FROM))
    return _Light(bright.filter(ImageFilter.GaussianBlur(reach / factor)), factor)


def _lit(strip: Image.Image, light: _Light, top: int, share: float) -> Image.Image:
    """Rows of the picture from top on, bright places shining a little on what is around; darks keep their depth."""
    box = tuple(edge / light.factor for edge in (0, top, strip.width, top + strip.height))
    spread = light.spread.resize(strip.size, Image.Resampling.BILINEAR, box)  # type: ignore[arg-type]
    lit = ImageChops.screen(strip, spread.point(lambda value: round(value * share)))
    held = strip.convert("L").point(lambda value: min(255, value * 2))  # none over darks
    return Image.composite(lit, strip, held)


def srgb_to_lab(colors: Array) -> Array:
    """Colours of sRGB in 0 to 1 -> CIELAB under D65: (N, 3) each. IEC 61966-2-1, CIE 15."""
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lab: Array = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=-1)
    return lab


def lab_to_srgb(lab: Array) -> Array:
    """CIELAB under D65 -> sRGB in 0 to 1, not clipped: (N, 3) each."""
    y = (lab[:, 0] + 16) / 116
    f = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _WHITE
    linear = xyz @ np.linalg.inv(_TO_XYZ).T
    srgb: Array = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clip(0, None) ** (1 / 2.4) - 0.055)
    return srgb


_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
