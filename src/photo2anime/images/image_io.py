"""Reads every picture file into a Picture, and writes a Picture to a file completely or not at all."""

from __future__ import annotations

import errno
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from photo2anime.images import jxl, raw, tiff
from photo2anime.images.decode import Opened, open_unlimited, opened, picture_of
from photo2anime.images.metadata import carried, save_arguments
from photo2anime.images.temporary import write_whole
from photo2anime.types import MemoryRanOutError, NotAPictureError, Photo2AnimeError, Picture, TooLargeError

Source = str | Path | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[Any]

MAX_MEGAPIXELS = 300  # above this a file is taken for a decompression bomb
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".avif": "AVIF"}
FORMATS |= {".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", jxl.SUFFIX: "JXL"}
BECOME_JPEG = {".heic", ".heif", ".hif", ".mpo", ".jfif", ".jpe", *raw.SUFFIXES}  # where nobody chose a format
READABLE = {*FORMATS, ".jfif", ".mpo", ".jpe", ".heic", ".heif", ".hif", ".gif"}  # what `-r` picks up in a folder
READABLE |= {".jp2", ".j2k", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".ico", ".dib", ".apng"}
READABLE |= raw.SUFFIXES
_OPENED = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM", "WEBP", "AVIF", "TIFF", "JPEG2000", "ICO")  # EPS runs programs
_LARGEST_SIDE = {"WEBP": 16_383, "JPEG": 65_500, "AVIF": 65_535}
_DAMAGED = (  # what decoders raise
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, RuntimeError, ArithmeticError),
    *(struct.error, Image.DecompressionBombError, TypeError, AttributeError),  # as Pillow does for broken directories
)
MAX_STREAM_BYTES = 1 << 30  # of what comes through a pipe
_STREAM_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a picture is written. format: "PNG", "JPEG", "WEBP", ..; None takes it from the file name, else the source's.
    quality: 1 to 100, None for the format's own default; formats without loss ignore it.
    """

    format: str | None = None
    quality: int | None = None
    strip_metadata: bool = False
    overwrite: bool = False


def read_image(source: Source, *, max_megapixels: float = MAX_MEGAPIXELS, enough_px: int | None = None) -> Picture:
    """The picture, upright, in sRGB, 8 bit, (H, W, 3) uint8, with alpha and metadata beside it.

    Takes a path (of a pipe too), encoded bytes, an open binary file or anything with a read method, a PIL image, or an
    array: (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16. What cannot be read twice is read whole, up to 1 GiB. Of an
    animated file it is the first frame. Of a RAW photo half the size is read if its longer side then still has
    enough_px. Raises Photo2AnimeError, which says what is wrong and what to do.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decoded(lambda: picture_of(opened(source)))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_file(io.BytesIO(source), max_megapixels, enough_px)
    if isinstance(source, (str, Path)):
        with _open_file(Path(source)) as file:
            return _from_file(file, max_megapixels, enough_px)
    if not hasattr(source, "read"):
        raise Photo2AnimeError(
            f"a {type(source).__name__} is not a picture; give a path, bytes, a PIL image or an array"
        )
    return _from_file(source, max_megapixels, enough_px)


def write_image(
    target: str | Path, picture: Picture, options: WriteOptions | None = None, *, source: str | Path | None = None
) -> Path:
    """The path written. The file appears whole or not at all: temporary file beside it, fsync, rename.

    Raises Photo2AnimeError for a target that is the source (unless options.overwrite), a folder, not writable, in an
    unknown format, or on a full disk.
    """
    target, options = Path(target), options or WriteOptions()
    if options.format is None and target.suffix.lower() not in FORMATS:
        raise Photo2AnimeError(f"cannot write {target.suffix or 'a file without extension'}; use {', '.join(FORMATS)}")
    options = replace(options, format=options.format or FORMATS[target.suffix.lower()])
    encoded = encode_image(picture, options)
    try:
        if source is not None and not options.overwrite and target.exists() and target.samefile(source):
            raise Photo2AnimeError("would be overwritten by its own result; give another -o, or --overwrite")
        if target.is_dir():
            raise Photo2AnimeError(f"cannot write {target}: it is a folder; give a file name")
        write_whole(target, encoded)
    except OSError as error:
        raise Photo2AnimeError(why_not_written(target, error)) from error
    return target


def encode_image(picture: Picture, options: WriteOptions) -> bytes:
    """The encoded picture. Format: options.format, else the source's own, else PNG.

    An sRGB profile is always embedded. Formats without alpha get the picture on white. Raises Photo2AnimeError when the
    picture is too large for the format.
    """
    format = options.format or writable_format(picture.format)
    largest = _LARGEST_SIDE.get(format)
    if largest and max(picture.rgb.shape) > largest:
        raise Photo2AnimeError(
            f"is too large for {format}, which holds {largest} pixels a side; use -f png or --max-side"
        )
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        alpha = Image.fromarray(picture.alpha)
        if format in ("JPEG", "BMP"):
            image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
        else:
            image.putalpha(alpha)
    if format == "JXL":
        jxl.prepare_to_write()
    file = io.BytesIO()
    try:
        image.save(file, format=format, **save_arguments(format, picture, options.quality, options.strip_metadata))
    except MemoryError as error:
        raise MemoryRanOutError from error
    except (OSError, ValueError, RuntimeError) as error:
        raise Photo2AnimeError(f"cannot be written as {format} ({error}); use -f png") from error
    return file.getvalue()


def left_out(picture: Picture, options: WriteOptions, target: Path | None = None) -> str | None:
    """One line on the metadata that a result cannot hold, for the user; None where all of it is carried or unwanted.
    target: the file's name, where options name no format.
    """
    named = FORMATS.get(target.suffix.lower()) if target else None
    format = options.format or named or writable_format(picture.format)
    return None if options.strip_metadata else carried(format, picture).note


def writable_format(format: str | None) -> str:
    """The format a result is written in when nobody chose one: the source's, or the nearest that fits a painting."""
    if format in FORMATS.values():
        return str(format)
    return "JPEG" if format in ("HEIF", "MPO", "RAW") else "PNG"


def lacking_for(suffix: str) -> str | None:
    """What to install before files of this suffix can be read; None when nothing is lacking."""
    suffix = suffix.lower()
    return jxl.lacking() if suffix == jxl.SUFFIX else raw.lacking() if suffix in raw.SUFFIXES else None


def extension(format: str) -> str:
    """The usual file extension, with dot: "JPEG" -> ".jpg"."""
    return next(suffix for suffix, name in FORMATS.items() if name == format)


# Reading


def _open_file(path: Path) -> IO[bytes]:
    try:
        if path.is_dir():
            raise Photo2AnimeError("is a folder; give the photos in it, or -r to paint all of them")
        return open(path, "rb")  # closed by read_image
    except FileNotFoundError:
        raise Photo2AnimeError("no such file; check the name and the folder") from None
    except PermissionError:
        raise Photo2AnimeError("may not be read; change its permissions") from None
    except (OSError, ValueError) as error:
        raise Photo2AnimeError(f"cannot be opened ({error})") from error


def _from_file(source: IO[bytes], max_megapixels: float, enough_px: int | None) -> Picture:
    def read() -> Picture:
        seekable = getattr(source, "seekable", None)
        file = source if callable(seekable) and seekable() else _whole(source)
        first = file.read(1)
        if isinstance(first, str):
            raise Photo2AnimeError("is open as text; open it in binary mode")
        if not first:
            raise Photo2AnimeError("is empty (0 bytes); copy or download it again")
        file.seek(0)
        found = _opened(file, max_megapixels, enough_px)
        with found.image:
            return picture_of(found)

    return _decoded(read)


def _whole(stream: IO[bytes]) -> IO[bytes]:
    """Everything a pipe, a socket or another object with read gives, as a file."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        try:
            part = stream.read(_STREAM_STEP)
        except TypeError:  # a read that takes no size gives everything
            part, more = stream.read(), False
        if not isinstance(part, (bytes, bytearray, memoryview)):
            raise Photo2AnimeError(f"gives {type(part).__name__}, not bytes; open it in binary mode")
        parts.append(bytes(part))
        size, more = size + len(part), more and len(part) > 0
        if size > MAX_STREAM_BYTES:
            raise TooLargeError(f"is a stream of more than {MAX_STREAM_BYTES >> 20} MiB; save it as a file first")
    return io.BytesIO(b"".join(parts))


def _decoded(read: Callable[[], Picture]) -> Picture:
    """What read returns. What Pillow's decoders raise becomes an error of one line."""
    try:
        return read()
    except UnidentifiedImageError:
        raise NotAPictureError(
            "is not a picture this program knows; give JPEG, PNG, WebP, AVIF, HEIC, JPEG XL, TIFF, BMP, GIF or RAW"
        ) from None
    except MemoryError as error:
        raise MemoryRanOutError from error
    except _DAMAGED as error:
        if "memory" in str(error).lower():  # decoders in C say it in their own ways
            raise MemoryRanOutError from error
        raise Photo2AnimeError(f"is damaged or cut short ({error}); copy or download it again") from error


def _opened(file: IO[bytes], max_megapixels: float, enough_px: int | None) -> Opened:
    """The header read, pixels only where a decoder gives them at once."""
    check_size = partial(_check_size, max_megapixels)
    header = file.read(16)
    file.seek(0)
    if header.startswith(jxl.STARTS):
        return jxl.open_jxl(file, check_size)
    if raw.is_raw(file):
        return raw.open_raw(file, check_size, enough_px)
    if header[4:8] == b"ftyp" and not header[8:12].startswith(b"avi"):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    described = tiff.described(file)
    if described is not None and described.is_deep:
        check_size(described.width, described.height)
        return tiff.opened(described)
    try:
        formats = [*_OPENED, *({"HEIF"} & Image.OPEN.keys())]
        image = open_unlimited(file, formats, libtiff=described is not None and described.needs_libtiff)
    except UnidentifiedImageError:
        if described is None:
            raise
        raise NotAPictureError(
            f"is a TIFF of a kind that is not read ({described}); convert it to 8 or 16 bit RGB"
        ) from None
    check_size(image.width, image.height)
    return opened(image, file)


def _check_size(max_megapixels: float, width: int, height: int) -> None:
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise TooLargeError(
            f"has {megapixels:.3g} megapixels, the limit is {max_megapixels:g}; raise it with --max-megapixels"
        )


def _from_array(array: NDArray[Any]) -> Picture:
    shape_fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not shape_fits or array.dtype not in (np.uint8, np.uint16):
        raise Photo2AnimeError(
            f"an array of shape {array.shape} and type {array.dtype} is not a picture; "
            "give (H, W), (H, W, 3) or (H, W, 4) in uint8 or uint16"
        )
    if 0 in array.shape:
        raise Photo2AnimeError(f"an array of shape {array.shape} has no pixels")
    if array.dtype == np.uint16:
        array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.ndim == 2 or array.shape[2] == 1:
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return Picture(rgb=array[..., :3], alpha=array[..., 3] if array.shape[2] == 4 else None)


# Writing


def why_not_written(target: Path, error: OSError, *, when_full: str = "free some space or choose another -o") -> str:
    """One line for an error of the disk: what is wrong and what to do."""
    reasons = {
        errno.ENOSPC: f"the disk is full; {when_full}",
        errno.EACCES: "no permission; choose another folder with -o",
        errno.EPERM: "no permission; choose another folder with -o",
        errno.EROFS: "the disk is read-only; choose another folder with -o",
        errno.ENOTDIR: "a file stands where a folder is needed; choose another -o",
        errno.EFBIG: "the file is too large for this disk; choose another -o",
        errno.ENAMETOOLONG: "the name is too long; give a shorter -o",
        errno.EEXIST: "a file stands where a folder is needed; choose another -o",
    }
    return f"cannot write {target}: {reasons.get(error.errno or 0, str(error))}"
