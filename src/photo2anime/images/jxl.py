"""Reads JPEG XL, and tells Pillow to write it, with the plugin that extra `jxl` brings.

The plugin decodes when it opens, so the size is read here, before it sees the file; and it leaves compressed metadata
as it is, so that is unpacked here, up to a limit.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO, Any

from PIL import ExifTags, Image

from photo2anime.extras import missing, need
from photo2anime.images.color_codes import boxes
from photo2anime.images.decode import Opened, open_unlimited, opened
from photo2anime.types import NotAPictureError

SUFFIX = ".jxl"
STARTS = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")  # of a bare codestream, of a container
_NEEDED = ("jxl", "pillow_jxl", "brotli")
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIDE_BITS = (9, 13, 18, 30)
_HEAD_BYTES = 64  # of a codestream, enough for its size
_LONGEST_METADATA = 16 << 20


def lacking() -> str | None:
    """What to install before JPEG XL can be read; None when it is there."""
    return missing("reading JPEG XL", *_NEEDED)


def prepare_to_write() -> None:
    """Makes Pillow know the format. Raises Photo2AnimeError when the extra is not installed."""
    need("writing JPEG XL", *_NEEDED)
    import pillow_jxl  # noqa: F401  its import is the registration


def open_jxl(file: IO[bytes], check_size: Callable[[int, int], None]) -> Opened:
    """The picture, decoded; upright already, unless it holds a JPEG, which then is opened as one. check_size: gets
    width and height before pixels are decoded. Raises NotAPictureError without the extra, RuntimeError for damage.
    """
    if line := lacking():
        raise NotAPictureError(f"is JPEG XL: {line}")
    from pillow_jxl import Decoder

    data = file.read()
    width, height, is_animated = _described(data)
    check_size(width, height)
    holds_jpeg, facts, pixels, profile, parts = Decoder(num_threads=-1)(data)
    if holds_jpeg:
        jpeg = open_unlimited(io.BytesIO(pixels), ["JPEG"])
        check_size(jpeg.width, jpeg.height)
        return opened(jpeg)
    image = Image.frombytes(facts.mode, (facts.width, facts.height), pixels)
    metadata = _metadata((part.box_type, part.data) for part in parts)
    image.info["icc_profile"] = profile
    if b"xml " in metadata:
        image.info["xmp"] = metadata[b"xml "]
    exif = Image.Exif()
    if b"Exif" in metadata:
        with suppress(SyntaxError, ValueError):
            exif.load(metadata[b"Exif"])
    exif.pop(ExifTags.Base.Orientation, None)  # the codestream's own is what counts, and was obeyed
    notes = ("is animated: one of its frames is painted",) if is_animated else ()
    return Opened(image, exif, "JXL", notes=notes)


def _metadata(parts: Iterable[tuple[bytes, Any]]) -> dict[bytes, bytes]:
    """EXIF, as a TIFF of its own, and XMP, by the types of their boxes."""
    found: dict[bytes, bytes] = {}
    for kind, content in parts:
        data = bytes(content)
        if kind == b"brob":
            kind, data = data[:4], _unpacked(data[4:]) if data[:4] in (b"Exif", b"xml ") else b""
        if kind == b"Exif" and data[:2] not in (b"II", b"MM"):  # as it should be: where it begins, then what it is
            data = data[4 + int.from_bytes(data[:4], "big") :]
        if kind in (b"Exif", b"xml ") and data:
            found[kind] = data
    return found


def _unpacked(packed: bytes) -> bytes:
    """What was compressed with Brotli; nothing if it is damaged, or longer than metadata is."""
    import brotli

    stream = brotli.Decompressor()
    data, more = b"", packed
    with suppress(brotli.error):
        while not stream.is_finished() and len(data) <= _LONGEST_METADATA:
            data += (part := stream.process(more, output_buffer_limit=1 << 16))
            if not (more or part):
                break  # cut short
            more = b""
    return data if stream.is_finished() else b""


def _described(data: bytes) -> tuple[int, int, bool]:
    """Width, height, and whether it is animated: ISO/IEC 18181-1, SizeHeader and the start of ImageMetadata."""
    stream = data[:_HEAD_BYTES]
    if data[:2] != STARTS[0]:
        parts = [(kind, content[: 4 + _HEAD_BYTES]) for kind, content in boxes(data) if kind in (b"jxlc", b"jxlp")]
        stream = b"".join(content[4:] if kind == b"jxlp" else content for kind, content in parts)
    bits = _Bits(stream[2:])
    small = bits.take(1)
    height = (bits.take(5) + 1) * 8 if small else bits.side()
    if ratio := bits.take(3):
        over, under = _RATIOS[ratio - 1]
        width = height * over // under
    else:
        width = (bits.take(5) + 1) * 8 if small else bits.side()
    if bits.take(1) or not bits.take(1):  # all as usual, or nothing extra
        return width, height, False
    bits.take(3)  # orientation
    if bits.take(1):  # the size it should be shown at
        is_small = bits.take(1)
        bits.take(5) if is_small else bits.side()
        if not bits.take(3):
            bits.take(5) if is_small else bits.side()
    has_preview = bits.take(1)
    return width, height, bool(not has_preview and bits.take(1))


class _Bits:
    """Reads numbers of so many bits, lowest first. What lies beyond the end is 0."""

    def __init__(self, data: bytes) -> None:
        self.left = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self.left & ((1 << count) - 1)
        self.left >>= count
        return value

    def side(self) -> int:
        """Width or height of a picture that is not small."""
        return self.take(_SIDE_BITS[self.take(2)]) + 1
