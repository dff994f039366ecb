"""Endless seeded batches of crops: photos with their pictures in the style, and photos and pictures without pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from photo2anime.images.image_io import READABLE, read_image
from photo2anime.inference.pixels import mean_color, to_batch
from photo2anime.painting.faces import find_faces
from photo2anime.train.config import TrainConfig
from photo2anime.types import RGB, MeanColor, Photo2AnimeError

_EVEN_SQUARES, _EVEN_PX = 3, 64
_EYE_RADIUS = 0.42  # of the distance between the eyes: lids and brow are inside
_CACHE_BYTES = 3 << 30  # decoded pictures kept in memory; what does not fit is decoded again for each crop


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step is given: (N, 3, crop, crop) float32 in [-1, 1] each.

    photo: the paired ones first. mean_color: (N, 3), of the whole photos that they are crops of. target: their pictures
    in the style, same places, or None. anime: pictures of the style that show other things, as many as there are photos
    without a target, or None; smooth: the same with blurred edges, or None. even: squares of one random colour each,
    (M, 3, 64, 64); no photo has all of them, and any of them shows a grid. weight: how much each place of the paired
    ones counts, (P, 1, crop, crop), or None for alike.
    """

    photo: Tensor
    mean_color: Tensor
    even: Tensor
    target: Tensor | None = None
    anime: Tensor | None = None
    smooth: Tensor | None = None
    weight: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        return Batch(*(None if t is None else t.to(device) for t in map(self.__getattribute__, self.__slots__)))  # type: ignore[arg-type]


class PairedPhotos:
    """Pictures that stand in two folders under the same name (the extension may differ), as pairs of RGB.

    Raises Photo2AnimeError when there is none, when the sizes of a pair differ, or a name to hold out is unknown.
    """

    def __init__(self, photos: Path, targets: Path, held_out: tuple[str, ...] = ()) -> None:
        photo_files, target_files = pictures_in(photos), pictures_in(targets)
        names = sorted(photo_files.keys() & target_files.keys())
        if not names:
            raise Photo2AnimeError(f"{photos} and {targets} have no picture name in common; pairs share their names")
        if unknown := sorted(set(held_out) - set(names)):
            raise Photo2AnimeError(f"--hold-out {','.join(unknown)}: no such pair in {photos}")
        self.train = [name for name in names if name not in held_out]
        self.held_out = list(held_out)
        if not self.train:
            raise Photo2AnimeError("every pair is held out; leave some to train on")
        self._files = {name: (photo_files[name], target_files[name]) for name in names}
        self._cache: dict[str, tuple[RGB, RGB]] = {}
        self._mean_colors: dict[str, MeanColor] = {}
        self._eyes: dict[str, list[tuple[float, float, float]]] = {}
        self._cached_bytes = 0

    def __getitem__(self, name: str) -> tuple[RGB, RGB]:
        """(photo, anime), same size."""
        if name in self._cache:
            return self._cache[name]
        files = self._files[name]
        photo, anime = (read_rgb(file) for file in files)
        if photo.shape != anime.shape:
            raise Photo2AnimeError(f"{files[0]} and {files[1]} differ in size; pairs must be aligned to the pixel")
        if self._cached_bytes + 2 * photo.nbytes <= _CACHE_BYTES:
            self._cache[name] = (photo, anime)
            self._cached_bytes += 2 * photo.nbytes
        return photo, anime

    def mean_color(self, name: str) -> MeanColor:
        """Of the whole photo."""
        if name not in self._mean_colors:
            self._mean_colors[name] = mean_color(self[name][0])
        return self._mean_colors[name]

    def eyes(self, name: str) -> list[tuple[float, float, float]]:
        """(x, y, radius) of a circle around each eye and its brow, in pixels, found in the photo once."""
        if name not in self._eyes:
            eyes = []
            for face in find_faces(self[name][0]):
                (left_x, left_y), (right_x, right_y) = face.landmarks[:2]
                radius = _EYE_RADIUS * max(math.hypot(right_x - left_x, right_y - left_y), face.side / 4)
                eyes += [(left_x, left_y, radius), (right_x, right_y, radius)]
            self._eyes[name] = eyes
        return self._eyes[name]


def pictures_in(folder: Path) -> dict[str, Path]:
    """Every picture file directly in folder, by name without extension."""
    if not folder.is_dir():
        raise Photo2AnimeError(f"{folder} is not a folder")
    return {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in READABLE}


class UnpairedPictures:
    """Photos, and pictures of a style that show other things.

    anime: a folder that `photo2anime prepare` wrote, with color/ and smooth/, or any folder of pictures; then there are
    no smooth ones. Raises Photo2AnimeError when a folder has no picture.
    """

    def __init__(self, photos: Path, anime: Path) -> None:
        self.photos = list(pictures_in(photos).values())
        color, smooth = anime / "color", anime / "smooth"
        self.anime = list(pictures_in(color if color.is_dir() else anime).values())
        blurred = pictures_in(smooth) if smooth.is_dir() else {}
        self.smooth = [blurred[file.stem] for file in self.anime if file.stem in blurred] if blurred else None
        for folder, files in ((photos, self.photos), (anime, self.anime)):
            if not files:
                raise Photo2AnimeError(f"{folder} has no picture in it")
        if self.smooth is not None and len(self.smooth) != len(self.anime):
            raise Photo2AnimeError(f"{smooth} lacks pictures of {color}; run `photo2anime prepare` again")

    def photo(self, cfg: TrainConfig, rng: np.random.Generator) -> tuple[RGB, MeanColor]:
        """A crop of a random photo, and the whole photo's mean colour."""
        photo = read_rgb(self.photos[rng.integers(len(self.photos))])
        return _free_crop([photo], cfg, rng)[0], mean_color(photo)

    def picture(self, cfg: TrainConfig, rng: np.random.Generator) -> list[RGB]:
        """A crop of a random picture, and the same place with smooth edges when there are such."""
        index = rng.integers(len(self.anime))
        files = [self.anime[index]] + ([] if self.smooth is None else [self.smooth[index]])
        return _free_crop([read_rgb(file) for file in files], cfg, rng)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the pictures of a run come from: pairs, pictures without pairs, or both.

    pseudo_pairs: photos with what other networks made of them; they take every other paired crop.
    """

    pairs: PairedPhotos | None = None
    unpaired: UnpairedPictures | None = None
    pseudo_pairs: PairedPhotos | None = None


def batches(
    sources: Sources, cfg: TrainConfig, first_step: int = 0, rank: int = 0, processes: int = 1
) -> Iterator[Batch]:
    """Batches without end, cfg.batch_size photos each; half of them paired where there are both kinds.

    The batch of a step depends on the seed, the step and the process alone: a resumed run draws what an uninterrupted
    one would, and the batches of several processes are the parts of what one process draws with as many times the size.
    """
    paired = cfg.batch_size if sources.unpaired is None else 0 if sources.pairs is None else (cfg.batch_size + 1) // 2
    step = first_step
    while True:
        photos, mean_colors, targets, weights, animes, smooths = [], [], [], [], [], []
        for i in range(rank * paired, (rank + 1) * paired):
            pairs = sources.pseudo_pairs if sources.pseudo_pairs is not None and i % 2 else sources.pairs
            assert pairs is not None
            photo, target, mean, weight = _paired_crop(pairs, cfg, np.random.default_rng((cfg.seed, step, i)))
            photos.append(photo)
            mean_colors.append(mean)
            targets.append(target)
            if weight is not None:
                weights.append(weight)
        free = cfg.batch_size - paired
        for i in range(rank * free, (rank + 1) * free):
            assert sources.unpaired is not None
            rng = np.random.default_rng((cfg.seed, step, i, 1))
            photo, mean = sources.unpaired.photo(cfg, rng)
            photos.append(photo)
            mean_colors.append(mean)
            anime, *smooth = sources.unpaired.picture(cfg, rng)
            animes.append(anime)
            smooths += smooth
        yield Batch(
            photo=as_tensor(photos),
            mean_color=torch.from_numpy(np.concatenate(mean_colors)),
            even=_even(np.random.default_rng((cfg.seed, step))),
            target=as_tensor(targets) if targets else None,
            anime=as_tensor(animes) if animes else None,
            smooth=as_tensor(smooths) if smooths else None,
            weight=torch.from_numpy(np.stack(weights)) if weights else None,
        )
        step += 1


def as_tensor(pictures: Sequence[RGB]) -> Tensor:
    """Pictures of one size as a batch: (H, W, 3) uint8 each -> (N, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.concatenate([to_batch(picture) for picture in pictures]))


def _even(rng: np.random.Generator) -> Tensor:
    colors = rng.uniform(-1, 1, (_EVEN_SQUARES, 3, 1, 1)).astype(np.float32)
    return torch.from_numpy(colors).expand(-1, -1, _EVEN_PX, _EVEN_PX).contiguous()


def read_rgb(file: Path) -> RGB:
    """The picture in file. Raises Photo2AnimeError, which names it, when it cannot be read."""
    try:
        return read_image(file).rgb
    except Photo2AnimeError as error:
        raise Photo2AnimeError(f"{file}: {error}") from error


def _paired_crop(
    pairs: PairedPhotos, cfg: TrainConfig, rng: np.random.Generator
) -> tuple[RGB, RGB, MeanColor, NDArray[np.float32] | None]:
    """One crop of a random pair, flipped, scaled and exposed alike; the photo's mean colour as exposed; and how much
    each place counts, (1, crop, crop), None for alike.
    """
    name = pairs.train[rng.integers(len(pairs.train))]
    photo, anime = pairs[name]
    scale = _jitter(cfg.scale_jitter, cfg.jitter_share, rng)
    height, width = photo.shape[:2]
    side = min(round(cfg.crop_px / scale), height, width)
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    flip = rng.random() < 0.5
    gain = _jitter(cfg.exposure_jitter, cfg.jitter_share, rng)
    turn = rng.uniform(-cfg.hue_jitter, cfg.hue_jitter) if rng.random() < cfg.jitter_share else 0.0
    shade = _shade(cfg, rng)
    both = []
    for picture in (photo, anime):
        crop = picture[top : top + side, left : left + side]
        if side != cfg.crop_px:
            resized = Image.fromarray(crop).resize((cfg.crop_px, cfg.crop_px), Image.Resampling.BICUBIC)
            crop = np.asarray(resized)
        if gain != 1:
            crop = np.clip(crop * gain + 0.5, 0, 255).astype(np.uint8)
        if shade is not None:
            crop = np.clip(crop * shade + 0.5, 0, 255).astype(np.uint8)
        if turn:
            crop = turned_hues(crop, turn)
        both.append(crop[:, ::-1] if flip else crop)
    weight = None
    if cfg.eye_weight != 1:
        places = (np.arange(cfg.crop_px, dtype=np.float32) + 0.5) * side / cfg.crop_px
        weight = np.ones((1, cfg.crop_px, cfg.crop_px), np.float32)
        for x, y, radius in pairs.eyes(name):
            weight[0, np.hypot(places[None] + left - x, places[:, None] + top - y) < radius] = cfg.eye_weight
        weight = weight[..., ::-1] if flip else weight
    return both[0], both[1], (pairs.mean_color(name) + 1) * np.float32(gain) - 1, weight


def turned_hues(picture: RGB, turn: float) -> RGB:
    """The picture with all hues turned by so many half circles, brightness (BT.601) kept. (H, W, 3) uint8."""
    cos, sin = np.cos(np.pi * turn), np.sin(np.pi * turn)
    yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    matrix = np.linalg.inv(yiq) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ yiq
    turned = np.clip(picture @ matrix.T.astype(np.float32) + 0.5, 0, 255)
    return np.asarray(turned, np.uint8)


def _free_crop(pictures: list[RGB], cfg: TrainConfig, rng: np.random.Generator) -> list[RGB]:
    """The same square of each picture, half of them mirrored, shrunk by up to two to cfg.crop_px."""
    height, width = pictures[0].shape[:2]
    short = min(height, width)
    side = min(short, round(cfg.crop_px * float(rng.uniform(1, max(1.0, min(2.0, short / cfg.crop_px))))))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    flip = rng.random() < 0.5
    crops = []
    for picture in pictures:
        crop = picture[top : top + side, left : left + side]
        if side != cfg.crop_px:
            resized = Image.fromarray(crop).resize((cfg.crop_px, cfg.crop_px), Image.Resampling.LANCZOS)
            crop = np.asarray(resized)
        crops.append(crop[:, ::-1] if flip else crop)
    return crops


def _shade(cfg: TrainConfig, rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Light and shade to multiply a crop by, (crop, crop, 1), as of a hat's brim or a window; or None.

    A random field of four by four, enlarged: a step between light and shade of a soft or a sharp kind.
    """
    if cfg.shade_jitter <= 1 or rng.random() >= cfg.jitter_share:
        return None
    field = Image.fromarray(rng.standard_normal((4, 4)).astype(np.float32))
    smooth = np.asarray(field.resize((cfg.crop_px, cfg.crop_px), Image.Resampling.BICUBIC))
    shade = np.exp(np.tanh(smooth * rng.uniform(0.7, 4)) * np.log(cfg.shade_jitter) * rng.uniform(0.3, 1))
    return np.asarray(shade[..., None], np.float32)


def _jitter(largest: float, share: float, rng: np.random.Generator) -> float:
    """A factor between 1/largest and largest, log-uniform, in a share of the cases; else 1."""
    factor = float(np.exp(rng.uniform(-1, 1) * np.log(largest)))
    return factor if rng.random() < share else 1.0
