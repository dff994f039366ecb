"""Paints for page and API: photo and PaintOptions -> anime. Keeps each style loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO

from photo2anime.images.image_io import WriteOptions, encode_image, extension, read_image, writable_format
from photo2anime.options import PaintOptions
from photo2anime.painting import compose
from photo2anime.painting.stylizer import Stylizer
from photo2anime.styles import find_style, list_styles
from photo2anime.types import (
    NotAPictureError,
    Photo2AnimeError,
    Picture,
    Precision,
    StyleCard,
    TooLargeError,
)
from photo2anime.web.errors import DamagedError, EmptyError
from photo2anime.web.server.file_types import HEAD_BYTES, extension_of, is_picture
from photo2anime.web.settings import TILE_PX


@dataclass(frozen=True, slots=True)
class Painted:
    """An encoded result. format: Pillow's name of it; width, height in pixels; suffix: of its file name, with dot."""

    data: bytes
    format: str
    width: int
    height: int

    @property
    def suffix(self) -> str:
        return extension(self.format)

    @property
    def media_type(self) -> str:
        return f"image/{self.format.lower()}"


class PaintService:
    """The installed styles, each loaded once. Calls from several threads are safe."""

    def __init__(self, *, device: str = "auto", megapixels: float = 60) -> None:
        self.device, self.megapixels = device, megapixels
        self._stylizers: dict[tuple[str, Precision], Stylizer] = {}
        self._lock = threading.Lock()
        self._left_out: set[str] = set()

    def styles(self) -> dict[str, StyleCard]:
        """The styles that are offered, by name: the installed ones without those left out."""
        return {name: card for name, card in list_styles().items() if name not in self._left_out}

    def leave_out(self, style: str) -> None:
        """Offers the style no more: its file is broken."""
        self._left_out.add(style)

    def faces_offered(self) -> bool:
        """Whether the offered styles include those that paint faces."""
        return any(name.startswith("portrait-") for name in self.styles())

    def check(self, options: PaintOptions) -> None:
        """Raises Photo2AnimeError when an option is outside what is accepted, or the style not offered."""
        styles = self.styles()
        if options.style not in styles:
            raise Photo2AnimeError(f"style: none is called {options.style[:100]!r}; there are {', '.join(styles)}")
        if options.look.faces in ("v1", "v2") and not self.faces_offered():
            raise Photo2AnimeError("faces: no portrait styles are installed here; use auto or off")

    def stylizer(self, style: str, precision: Precision = "float32") -> Stylizer:
        """The style, loaded. Only installed styles: a path is never opened. Raises Photo2AnimeError for others."""
        card = find_style(style)
        key = card.name, precision
        with self._lock:
            if key not in self._stylizers:
                tile_px = TILE_PX if card.tiling == "exact" else None
                self._stylizers[key] = Stylizer.load(
                    card.name, device=self.device, tile_px=tile_px, precision=precision
                )
            return self._stylizers[key]

    def read(self, source: IO[bytes] | bytes) -> Picture:
        """The upload as a picture. What is none by its first bytes is given to no decoder. Raises NotAPictureError,
        TooLargeError, EmptyError or DamagedError.
        """
        head = source[:HEAD_BYTES] if isinstance(source, bytes) else source.read(HEAD_BYTES)
        if not isinstance(source, bytes):
            source.seek(0)
        if not head:
            raise EmptyError("the photo is empty (0 bytes)")
        if not is_picture(extension_of(head)):
            raise NotAPictureError(
                "is not a picture this program knows; give JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or GIF"
            )
        try:
            return read_image(source, max_megapixels=self.megapixels)
        except (NotAPictureError, TooLargeError):
            raise
        except Photo2AnimeError as error:
            raise DamagedError(str(error)) from error

    def paint(
        self,
        photo: Picture,
        options: PaintOptions,
        on_tile: Callable[[int, int], None] = lambda done, total: None,
    ) -> Picture:
        """The photo painted as options say. on_tile may raise to stop. Raises Photo2AnimeError for wrong options."""
        self.check(options)
        if options.max_side:
            photo = compose.shrink(photo, options.max_side)
        painted = self.stylizer(options.style).paint_picture(photo, options.look, on_tile=on_tile).picture
        return compose.beside(photo, painted) if options.side_by_side else painted

    def paint_encoded(
        self,
        source: IO[bytes] | bytes,
        options: PaintOptions,
        write: WriteOptions,
        on_tile: Callable[[int, int], None] = lambda done, total: None,
    ) -> Painted:
        """An upload painted and encoded, in the upload's own format unless write names another."""
        return encoded(self.paint(self.read(source), options, on_tile), write)


def encoded(picture: Picture, write: WriteOptions) -> Painted:
    """The picture encoded, in its source's format unless write names another."""
    format = write.format or writable_format(picture.format)
    height, width = picture.rgb.shape[:2]
    return Painted(encode_image(picture, replace(write, format=format)), format, width, height)
