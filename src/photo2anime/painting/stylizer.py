"""Stylizer: a loaded style; calling it turns a photo into anime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo2anime.images.image_io import read_image
from photo2anime.inference.pixels import mean_color, next_multiple, pad_bottom_right, to_batch, to_image
from photo2anime.inference.tiling import plan, smallest_side, tile_side
from photo2anime.inference.weights import local_file
from photo2anime.painting import compose, portraits
from photo2anime.painting.grades import find_grade
from photo2anime.styles import find_style, in_fast, in_int8, list_styles
from photo2anime.types import (
    RGB,
    FaceChoice,
    FaceVersion,
    LineWeight,
    Look,
    MeanColor,
    Network,
    PaintedFace,
    Painter,
    Painting,
    Photo2AnimeError,
    Picture,
    Precision,
    StyleCard,
)

_LEAST_FOREIGN_PX = 64  # some networks mirror more pixels than a smaller picture has
_OF_MEDIUM: dict[LineWeight, float] = {"fine": 1.6, "medium": 1.0, "broad": 0.65}  # sides that are painted at
_FEATHER_PX = 32  # where tiles of a style with whole-picture statistics meet


class Stylizer:
    """A style, ready to paint. Build it once, call it many times, from several threads too; it can be pickled.

    network: any callable from (1, 3, H, W) float32 in [-1, 1] to the same; with card.mean_color its second argument is
    the whole photo's mean colour, (1, 3). card: the facts about it. tile_px: the side
    of the windows a large photo is painted in; None chooses by free memory. device: what the network runs on.
    face_painters: what paints faces, by version; None takes the installed portrait styles, loaded when first needed.
    """

    def __init__(
        self,
        network: Network,
        card: StyleCard,
        *,
        tile_px: int | None = None,
        device: str = "cpu",
        face_painters: Mapping[FaceVersion, Painter] | None = None,
    ) -> None:
        if tile_px is not None and tile_px < (least := smallest_side(card)):
            raise Photo2AnimeError(f"a tile of {tile_px} pixels is too small for {card.name}; give at least {least}")
        self.network, self.card, self.tile_px, self.device = network, card, tile_px, device
        self.face_painters = _installed_portraits(device) if face_painters is None else face_painters

    @classmethod
    def load(
        cls,
        style: str | Path = "hayao",
        *,
        device: str = "auto",
        tile_px: int | None = None,
        precision: Precision = "float32",
        free: bool = False,
    ) -> Stylizer:
        """A style by its name, or from the path of an .onnx file.

        precision: "int8" takes the style's 8-bit network; "auto" does where it is the faster one; "fast" takes the
        smaller one that is meant for video, or the 8-bit one of a style that has none. free: only networks
        that may be used for anything; faces are left to the style where the portraits may not. Raises Photo2AnimeError
        when the style cannot be had, or is not free.
        """
        from photo2anime.inference.runtime import OnnxNetwork, prefers_int8

        if Path(style).suffix.lower() == ".onnx":
            file, card = Path(style), None
            if precision == "int8":
                raise Photo2AnimeError(f"{file} is one network, as it is; leave --precision out")
            if not file.is_file():
                raise Photo2AnimeError(f"{file}: no such file; check the name and the folder")
        else:
            card = find_style(str(style))
            if precision == "fast":
                card = in_fast(card)
            elif precision == "int8" or (precision == "auto" and card.int8_file and prefers_int8(device)):
                card = in_int8(card)
            file = local_file(card)
        network = OnnxNetwork(file, device=device, card=card)
        if free and not network.card.free:
            names = ", ".join(name for name, known in list_styles().items() if known.free)
            raise Photo2AnimeError(f"{style} is not free for any use ({network.card.license}); these are: {names}")
        faces = _installed_portraits(network.device, free=free)
        return cls(network, network.card, tile_px=tile_px, device=network.device, face_painters=faces)

    @overload
    def __call__(
        self,
        photo: Picture,
        *,
        strength: float = 1.0,
        keep_color: bool = False,
        faces: FaceChoice = "auto",
        face_strength: float = 1.0,
        lines: LineWeight = "medium",
    ) -> Picture: ...
    @overload
    def __call__(
        self,
        photo: NDArray[Any],
        *,
        strength: float = 1.0,
        keep_color: bool = False,
        faces: FaceChoice = "auto",
        face_strength: float = 1.0,
        lines: LineWeight = "medium",
    ) -> NDArray[np.uint8]: ...
    @overload
    def __call__(
        self,
        photo: str | Path | bytes | IO[bytes] | Image.Image,
        *,
        strength: float = 1.0,
        keep_color: bool = False,
        faces: FaceChoice = "auto",
        face_strength: float = 1.0,
        lines: LineWeight = "medium",
    ) -> Image.Image: ...
    def __call__(
        self,
        photo: Picture | NDArray[Any] | str | Path | bytes | IO[bytes] | Image.Image,
        *,
        strength: float = 1.0,
        keep_color: bool = False,
        faces: FaceChoice = "auto",
        face_strength: float = 1.0,
        lines: LineWeight = "medium",
    ) -> Picture | NDArray[np.uint8] | Image.Image:
        """Photo painted, same size to the pixel, alpha restored.

        A path, encoded bytes, an open file or a PIL image gives a PIL image, with the photo's EXIF; an array (H, W),
        (H, W, 3) or (H, W, 4) gives (H, W, 3) or (H, W, 4) uint8; a Picture gives a Picture. The options are those of
        Look. Raises Photo2AnimeError for what cannot be read or painted.
        """
        look = Look(strength, keep_color, faces, face_strength, lines=lines)
        try:
            picture = photo if isinstance(photo, Picture) else read_image(photo)
        except Photo2AnimeError as error:
            if isinstance(photo, (str, Path)):
                raise Photo2AnimeError(f"{photo}: {error}") from error
            raise
        painted = self.paint_picture(picture, look).picture
        if isinstance(photo, Picture):
            return painted
        array = painted.rgb if painted.alpha is None else np.dstack([painted.rgb, painted.alpha])
        if isinstance(photo, np.ndarray):
            return array
        image = Image.fromarray(array)
        if painted.exif:
            image.info["exif"] = painted.exif
        return image

    def paint_picture(
        self, picture: Picture, look: Look | None = None, *, on_tile: Callable[[int, int], None] = lambda *_: None
    ) -> Painting:
        """The picture painted as the look says, with what was found in it. on_tile: as in `paint`."""
        look, photo = look or Look(), picture.rgb
        found = portraits.find_sitters(photo, look.faces, self.face_painters, own_style=self.card.name)
        painted = replace(picture, rgb=self.paint_found(photo, found, look, on_tile=on_tile))
        return Painting(painted, found, portraits.warnings_of(found, look.faces, own_style=self.card.name))

    def paint_found(
        self,
        photo: RGB,
        found: Sequence[PaintedFace],
        look: Look,
        *,
        on_tile: Callable[[int, int], None] = lambda *_: None,
    ) -> RGB:
        """The photo painted as the look says, with those faces: (H, W, 3) uint8 -> the same. on_tile: as in `paint`."""
        whole = portraits.whole_portrait(photo, found, self.face_painters) if look.face_strength else None
        if whole is not None and look.face_strength == 1:
            anime = whole
            on_tile(1, 1)
        else:
            anime = compose.drawn_smaller(photo, self._side_px(look), partial(self._draw, on_tile=on_tile))
            if whole is None:
                anime = portraits.paint_faces(photo, anime, found, self.face_painters, look.face_strength)
            else:
                anime = compose.blend(anime, whole, look.face_strength)
        anime = self._graded(anime)
        if look.keep_color:
            anime = compose.keep_color(photo, anime)
        return compose.blend(photo, anime, look.strength)

    def _side_px(self, look: Look) -> int:
        """The longer side that is painted at, in pixels; 0 for the photo's own."""
        if look.drawn_px is not None:
            return look.drawn_px
        return round(self.card.max_side * _OF_MEDIUM[look.lines])

    def paint(self, photo: RGB, *, on_tile: Callable[[int, int], None] = lambda done, total: None) -> RGB:
        """The whole photo in the style, in as many tiles as memory asks for: (H, W, 3) uint8 -> the same.

        on_tile: called after each tile with how many are done and how many there are.
        """
        return self._graded(self._draw(photo, on_tile=on_tile))

    def _graded(self, drawn: RGB) -> RGB:
        return find_grade(self.card.grade)(drawn) if self.card.grade else drawn

    def _draw(self, photo: RGB, *, on_tile: Callable[[int, int], None]) -> RGB:
        """What the network makes of the photo, tile by tile, without the film's grade."""
        height, width = photo.shape[:2]
        mean = mean_color(photo) if self.card.mean_color else None
        tiles = plan(height, width, self.card, self.tile_px or tile_side(height, width, self.card, _free_bytes()))
        if len(tiles) == 1:
            anime = self._paint_window(photo, mean)
            on_tile(1, 1)
            return anime
        anime = np.empty_like(photo)
        feather = 0 if self.card.tiling == "exact" else min(_FEATHER_PX, self.card.halo)
        for done, tile in enumerate(tiles, start=1):
            (top, bottom), (left, right) = tile.rows, tile.cols
            painted = self._paint_window(photo[top:bottom, left:right], mean)
            first_row, last_row = tile.keep_rows[0] - feather * (top > 0), min(tile.keep_rows[1] + feather, bottom)
            first_col, last_col = tile.keep_cols[0] - feather * (left > 0), min(tile.keep_cols[1] + feather, right)
            kept = painted[first_row - top : last_row - top, first_col - left : last_col - left]
            ramps = (2 * feather * (top > 0), 2 * feather * (left > 0))
            compose.feather_into(anime, kept, first_row, first_col, *ramps)
            on_tile(done, len(tiles))
        return anime

    def _paint_window(self, window: RGB, mean: MeanColor | None) -> RGB:
        height, width = window.shape[:2]
        m = self.card.multiple_of
        least = m if self.card.tiling == "exact" else _LEAST_FOREIGN_PX
        padded_size = self.card.fixed_size or (
            next_multiple(max(height, least), m),
            next_multiple(max(width, least), m),
        )
        batch = to_batch(pad_bottom_right(window, *padded_size))
        return to_image(self.network(batch) if mean is None else self.network(batch, mean))[:height, :width]


def _installed_portraits(device: str, *, free: bool = False) -> dict[FaceVersion, Painter]:
    return {
        version: partial(_painted_by, style, device)
        for version, style in portraits.STYLES.items()
        if style in list_styles() and (list_styles()[style].free or not free)
    }


def _painted_by(style: str, device: str, face: RGB) -> RGB:
    return _loaded(style, device).paint(face)


@cache
def _loaded(style: str, device: str) -> Stylizer:
    return Stylizer.load(style, device=device)


def _free_bytes() -> int:
    """Memory this process may still take: what the machine has free, or a container's limit if that is lower."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        free = min(free, int(text) - psutil.Process().memory_info().rss)
    return max(free, 0)
