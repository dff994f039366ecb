"""Reads TIFF files that Pillow reads wrongly or not at all: more than 8 bits a sample, integer or floating-point.

Pillow's own decoders still unpack the strips: each is given to them as a grey picture of bytes.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from photo2anime.images.colors import from_float
from photo2anime.images.decode import DEEP, Opened, open_unlimited

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLORS = 256, 257, 258, 259, 262
_OFFSETS, _CHANNELS, _ROWS, _COUNTS, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT = 322, 323, 324, 325, 338, 339
_KINDS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "Lab", 32803: "raw sensor"}
_NUMBERS = {1: "whole", 2: "signed", 3: "floating-point"}
_MOST_PAGES = 1000


_ORIENTATION, _XMP, _ICC, _X_DPI, _Y_DPI, _DPI_UNIT = 274, 700, 34675, 282, 283, 296
_USED: tuple[int, ...] = (
    _WIDTH,
    _HEIGHT,
    _BITS,
    _COMPRESSION,
    _COLORS,
    _OFFSETS,
    _CHANNELS,
    _ROWS,
    _COUNTS,
    _PLANAR,
    _PREDICTOR,
)
_USED += (_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT, _XMP, _ICC)
_USED += (_X_DPI, _Y_DPI, _DPI_UNIT)


def opened(tiff: Tiff) -> Opened:
    """A deep TIFF's first page in 8 bit. Raises what Pillow's decoders raise for damaged ones, or ValueError."""
    values = _pixels(tiff)
    colors = 3 if tiff.colors == 2 else 1
    extra = _tuple(tiff.tags.get(_EXTRA, ()))
    color, alpha = values[..., :colors], values[..., colors] if extra[:1] in ((1,), (2,)) else None
    full = 1.0 if tiff.numbers == 3 else _full_scale(values)
    if alpha is not None and extra[0] == 1:  # colours were multiplied by it
        opaque = np.maximum(alpha.astype(np.float32) / np.float32(full), 1e-6)[..., None]
        color = np.where(alpha[..., None] > 0, color.astype(np.float32) / opaque, 0)
        color = color if tiff.numbers == 3 else np.minimum(color, full)
    color = color[..., 0] if colors == 1 else color
    note = None
    if tiff.numbers == 3:
        eight, note = from_float(color)
    else:
        eight = (color.astype(np.float32) / np.float32(full) * 255 + 0.5).astype(np.uint8)
    image = Image.fromarray(255 - eight if tiff.colors == 0 else eight)
    if alpha is not None:
        share = np.clip(np.nan_to_num(alpha.astype(np.float32) / np.float32(full)), 0, 1)
        image.putalpha(Image.fromarray((share * 255 + 0.5).astype(np.uint8)))
    image.info = _info(tiff.tags)
    exif = Image.Exif()
    tiff.file.seek(0)
    exif.load_from_fp(tiff.file)
    return Opened(image, exif, "TIFF", tiff.pages, tiff.file, (note or DEEP,))


def _full_scale(values: NDArray[Any]) -> float:
    """What white is in whole numbers: 16 bit, or of 32 bit what they reach to, as scientific programs leave them."""
    if values.dtype == np.uint16:
        return 65535.0
    largest = int(values.max())
    return 255.0 if largest <= 255 else 65535.0 if largest <= 65535 else 4294967295.0


def _info(tags: dict[int, Any]) -> dict[str | tuple[int, int], Any]:
    """The `info` that Pillow would give."""
    info: dict[str | tuple[int, int], Any] = {}
    for tag, name in ((_XMP, "xmp"), (_ICC, "icc_profile")):
        if isinstance(tags.get(tag), bytes):
            info[name] = tags[tag]
    if _X_DPI in tags and _Y_DPI in tags:
        inch = 2.54 if tags.get(_DPI_UNIT, 2) == 3 else 1.0
        info["dpi"] = (float(tags[_X_DPI]) * inch, float(tags[_Y_DPI]) * inch)
    return info


@dataclass(slots=True)
class Tiff:
    """The first page of a TIFF, as its tags describe it."""

    file: IO[bytes]
    order: str
    width: int
    height: int
    bits: tuple[int, ...]
    numbers: int
    colors: int
    channels: int
    pages: int
    tags: dict[int, Any] = field(repr=False)

    @property
    def is_deep(self) -> bool:
        """Whether `opened` reads it."""
        depths = {1: (16, 32), 2: (), 3: (16, 32, 64)}
        alike = len(set(self.bits)) == 1 and self.bits[0] in depths.get(self.numbers, ())
        return alike and self.colors in (0, 1, 2) and self.channels >= (3 if self.colors == 2 else 1)

    @property
    def needs_libtiff(self) -> bool:
        """Whether Pillow's own reader would mix up its samples: YCbCr or separate planes without compression."""
        plain = int(self.tags.get(_COMPRESSION, 1)) == 1
        return plain and (self.colors == 6 or int(self.tags.get(_PLANAR, 1)) == 2)

    def __str__(self) -> str:
        """What it is, in words: "RGB, 3 channels of 32 bit, floating-point"."""
        kind = _KINDS.get(self.colors, f"colours of kind {self.colors}")
        depth = "/".join(map(str, sorted(set(self.bits))))
        return f"{kind}, {self.channels} channels of {depth} bit, {_NUMBERS.get(self.numbers, 'other')} numbers"


def described(file: IO[bytes]) -> Tiff | None:
    """The first page of a TIFF; None when the file is none, or too damaged to say. The file's place is kept."""
    place = file.tell()
    header = file.read(16)
    try:
        if header[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return None
        directory = TiffImagePlugin.ImageFileDirectory_v2(header[: 16 if header[2:4] in (b"+\0", b"\0+") else 8])
        file.seek(directory.next)
        directory.load(file)
        tags = {tag: directory[tag] for tag in _USED if tag in directory}
        bits = tags.get(_BITS, (1,))
        return Tiff(
            file,
            ">" if header[:2] == b"MM" else "<",
            int(tags[_WIDTH]),
            int(tags[_HEIGHT]),
            tuple(int(depth) for depth in (bits if isinstance(bits, tuple) else (bits,))),
            int(_first(tags.get(_FORMAT, 1))),
            int(tags.get(_COLORS, 1)),
            int(tags.get(_CHANNELS, 1)),
            _count_pages(file, directory.next),
            tags,
        )
    except (KeyError, TypeError, ValueError, SyntaxError, OSError, struct.error, IndexError, OverflowError):
        return None
    finally:
        file.seek(place)


def _count_pages(file: IO[bytes], offset: int) -> int:
    """How many pages there are, when the second begins at offset."""
    seen = {offset}
    while offset and len(seen) < _MOST_PAGES:
        directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0" + bytes(4))
        file.seek(offset)
        directory.load(file)
        if (offset := directory.next) in seen:
            break
        seen.add(offset)
    return len(seen)


def _pixels(tiff: Tiff) -> NDArray[Any]:
    """(H, W, channels) uint16, uint32, float16, float32 or float64 of a deep TIFF. Raises what Pillow's decoders raise
    for damaged ones, or ValueError.
    """
    dtype = np.dtype(f"{'f' if tiff.numbers == 3 else 'u'}{tiff.bits[0] // 8}")
    planar = int(tiff.tags.get(_PLANAR, 1)) == 2 and tiff.channels > 1
    tiled = _TILE_OFFSETS in tiff.tags
    wide = int(tiff.tags[_TILE_WIDTH]) if tiled else tiff.width
    high = int(tiff.tags[_TILE_HEIGHT]) if tiled else min(int(tiff.tags.get(_ROWS, tiff.height)), tiff.height)
    if min(wide, high) < 1 or wide > 2 * tiff.width + 4096 or high > 2 * tiff.height + 4096:
        raise ValueError(f"parts of {wide}x{high} pixels")
    offsets = _tuple(tiff.tags[_TILE_OFFSETS if tiled else _OFFSETS])
    counts = _tuple(tiff.tags[_TILE_COUNTS if tiled else _COUNTS])
    in_part = 1 if planar else tiff.channels
    picture = np.zeros((tiff.height, tiff.width, tiff.channels), dtype)
    down, across = -(-tiff.height // high), -(-tiff.width // wide)
    if not down * across * (tiff.channels if planar else 1) == len(offsets) == len(counts):
        raise ValueError(f"{len(offsets)} parts do not cover it")
    places = [
        (plane, top, left)
        for plane in range(tiff.channels if planar else 1)
        for top in range(0, tiff.height, high)
        for left in range(0, tiff.width, wide)
    ]
    for (plane, top, left), offset, count in zip(places, offsets, counts, strict=True):
        rows = high if tiled else min(high, tiff.height - top)
        part = _part(tiff, (offset, count), (rows, wide, in_part), dtype)
        kept = part[: tiff.height - top, : tiff.width - left]
        channels = slice(plane, plane + 1) if planar else slice(None)
        picture[top : top + kept.shape[0], left : left + kept.shape[1], channels] = kept
    return picture


def _part(tiff: Tiff, where: tuple[int, int], shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """One strip or tile, unpacked, its predictor undone."""
    rows, wide, channels = shape
    row_bytes = wide * channels * dtype.itemsize
    tiff.file.seek(where[0])
    packed = tiff.file.read(where[1])
    compression = int(tiff.tags.get(_COMPRESSION, 1))
    if compression == 1:
        data = np.frombuffer(packed[: rows * row_bytes], np.uint8).reshape(rows, row_bytes)
    else:
        with open_unlimited(io.BytesIO(_as_bytes_picture(packed, row_bytes, rows, compression)), ["TIFF"]) as image:
            data = np.asarray(image)
    predictor = int(tiff.tags.get(_PREDICTOR, 1)) if compression != 1 else 1
    stored = dtype.newbyteorder(tiff.order)  # type: ignore[arg-type]
    if predictor == 3:  # bytes of like weight together, heaviest first, each the difference to the one before
        summed = np.cumsum(data.reshape(rows, wide * dtype.itemsize, channels), axis=1, dtype=np.uint8)
        by_weight = summed.reshape(rows, dtype.itemsize, wide * channels)
        heaviest_first = np.ascontiguousarray(by_weight.transpose(0, 2, 1))
        return heaviest_first.view(dtype.newbyteorder(">")).reshape(rows, wide, channels).astype(dtype)
    values = np.ascontiguousarray(data).view(stored).reshape(rows, wide, channels)
    if predictor == 2:
        whole = np.dtype(f"u{dtype.itemsize}")
        differences = np.ascontiguousarray(values).view(stored.str.replace("f", "u")).astype(whole)
        return np.cumsum(differences, axis=1, dtype=whole).view(dtype)
    return values.astype(dtype)


def _as_bytes_picture(packed: bytes, width: int, height: int, compression: int) -> bytes:
    """A small TIFF whose grey pixels are the bytes of a strip."""
    entries = {_WIDTH: width, _HEIGHT: height, _BITS: 8, _COMPRESSION: compression, _COLORS: 1}
    entries |= {_OFFSETS: 8, _CHANNELS: 1, _ROWS: height, _COUNTS: len(packed)}
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    padded = packed + b"\0" * (len(packed) % 2)
    return struct.pack("<2sHI", b"II", 42, 8 + len(padded)) + padded + directory + bytes(4)


def _tuple(value: Any) -> tuple[int, ...]:
    return tuple(int(one) for one in value) if isinstance(value, tuple) else (int(value),)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value
