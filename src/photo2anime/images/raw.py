"""Reads RAW photos of cameras with LibRaw, which extra `raw` brings: developed in the camera's white balance."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from PIL import ExifTags, Image, TiffImagePlugin

from photo2anime.extras import missing
from photo2anime.images.decode import Opened, open_unlimited
from photo2anime.types import MemoryRanOutError, NotAPictureError

if TYPE_CHECKING:
    from rawpy import RawPy

SUFFIXES = frozenset((".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".orf", ".rw2", ".rwl", ".raf"))
SUFFIXES |= {".pef", ".srw", ".3fr", ".fff", ".iiq", ".erf", ".mef", ".mos", ".mrw", ".kdc", ".dcr"}
STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR")  # of no TIFF
CR3_BRAND = b"crx "
_TIFF = (b"II*\0", b"MM\0*")
_TIFF_MARKS = ((8, b"CR"), (8, b"IIII"), (8, b"MMMM"))  # where in a TIFF it says that it is Canon's, Phase One's
_OF_SENSORS = {32803, 34892}  # colour models: as the sensor saw it, linear
_COLORS, _PARTS = 262, 330
_MOST_PARTS = 16
_DNG_TAGS = range(50706, 52600)
_OF_SENSOR_PATTERNS = {33421, 33422, 37398, 50255, 700}
_MAKER_NOTE = 37500
_SRGB_CURVE = (2.4, 12.92)


def lacking() -> str | None:
    """What to install before RAW photos can be read; None when it is there."""
    return missing("reading RAW photos", "raw", "rawpy")


def is_raw(file: IO[bytes]) -> bool:
    """Whether the file is what a sensor saw, by its bytes. The file's place is kept."""
    place = file.tell()
    header = file.read(16)
    try:
        if header.startswith(STARTS) or header[4:12] == b"ftyp" + CR3_BRAND:
            return True
        if not header.startswith(_TIFF):
            return False
        marked = any(header[at : at + len(mark)] == mark for at, mark in _TIFF_MARKS)
        return marked or any(directory.get(_COLORS) in _OF_SENSORS for directory in _directories(file, header))
    except (KeyError, TypeError, ValueError, SyntaxError, OSError, struct.error, IndexError, OverflowError):
        return False
    finally:
        file.seek(place)


def _directories(file: IO[bytes], header: bytes) -> Iterator[TiffImagePlugin.ImageFileDirectory_v2]:
    """The first directory of a TIFF, and those of its parts."""
    offsets, seen = [struct.unpack(("<" if header[:2] == b"II" else ">") + "I", header[4:8])[0]], 0
    while offsets and seen < _MOST_PARTS:
        directory = TiffImagePlugin.ImageFileDirectory_v2(header[:8])
        file.seek(offsets.pop(0))
        directory.load(file)
        yield directory
        if not seen and (parts := directory.get(_PARTS)):
            offsets += parts if isinstance(parts, tuple) else (parts,)
        seen += 1


def open_raw(file: IO[bytes], check_size: Callable[[int, int], None], enough_px: int | None) -> Opened:
    """The photo, upright, in sRGB; at half its size if its longer side then still has enough_px. check_size: gets width
    and height before pixels are decoded. Raises NotAPictureError without the extra or for kinds that LibRaw does not
    know, OSError for damage.
    """
    if line := lacking():
        raise NotAPictureError(f"is a RAW photo: {line}")
    import rawpy

    try:
        with rawpy.imread(cast(BinaryIO, file)) as photo:
            sizes = photo.sizes
            check_size(sizes.raw_width, sizes.raw_height)
            half = enough_px is not None and max(sizes.width, sizes.height) // 2 >= enough_px
            exif = _exif(file, photo)
            pixels = photo.postprocess(use_camera_wb=True, half_size=half, gamma=_SRGB_CURVE)
    except (rawpy.LibRawFileUnsupportedError, rawpy.NotSupportedError) as error:
        raise NotAPictureError("is a RAW photo of a kind that LibRaw does not read; convert it to DNG") from error
    except (rawpy.LibRawUnsufficientMemoryError, rawpy.LibRawTooBigError) as error:
        raise MemoryRanOutError from error
    except rawpy.LibRawError as error:
        raise OSError(_words(error)) from error
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
    return Opened(image, exif, "RAW")


def _words(error: Exception) -> str:
    told: Any = error.args[0] if error.args else ""
    return told.decode(errors="replace") if isinstance(told, bytes) else str(told)


def _exif(file: IO[bytes], photo: RawPy) -> Image.Exif:
    """What the file tells of the photo, as a TIFF or in the JPEG it holds for display; else what LibRaw knows. Without
    what describes the sensor, and the notes of the maker, which mean nothing in another file.
    """
    import rawpy

    exif = Image.Exif()
    with suppress(SyntaxError, ValueError, OSError, struct.error):
        file.seek(0)
        exif.load_from_fp(file)
    if not len(exif):
        with suppress(rawpy.LibRawError, rawpy.NotSupportedError, SyntaxError, ValueError, OSError, struct.error):
            exif = open_unlimited(io.BytesIO(bytes(photo.extract_thumb().data)), ["JPEG"]).getexif()
    if not len(exif):
        exif = _exif_of(photo)
    for tag in [tag for tag in exif if tag in _DNG_TAGS or tag in _OF_SENSOR_PATTERNS]:
        del exif[tag]
    exif.pop(ExifTags.Base.Orientation, None)  # LibRaw turned it
    exif.get_ifd(ExifTags.IFD.Exif).pop(_MAKER_NOTE, None)
    return exif


def _exif_of(photo: RawPy) -> Image.Exif:
    exif, told = Image.Exif(), photo.other
    if told.timestamp.year > 1970:
        exif[ExifTags.Base.DateTime] = told.timestamp.strftime("%Y:%m:%d %H:%M:%S")
    if told.artist:
        exif[ExifTags.Base.Artist] = told.artist
    taken = {
        ExifTags.Base.ISOSpeedRatings: round(told.iso_speed),
        ExifTags.Base.ExposureTime: told.shutter_speed,
        ExifTags.Base.FNumber: told.aperture,
        ExifTags.Base.FocalLength: told.focal_length,
    }
    exif.get_ifd(ExifTags.IFD.Exif).update({tag: value for tag, value in taken.items() if value})
    return exif
