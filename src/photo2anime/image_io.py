"""The one door for pictures: what a camera or a program wrote -> Picture, and Picture -> file, whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from photo2anime.metadata import descriptive, save_arguments
from photo2anime.types import MemoryRanOutError, NotAPictureError, Photo2AnimeError, Picture, TooLargeError

Source = str | Path | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[Any]

MAX_MEGAPIXELS = 300  # above this a file is taken for a decompression bomb
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".avif": "AVIF"}
FORMATS |= {".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"}
READABLE = {*FORMATS, ".jfif", ".mpo", ".jpe", ".heic", ".heif", ".hif", ".gif"}  # what `-r` picks up in a folder
READABLE |= {".jp2", ".j2k", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".ico", ".dib", ".apng"}
_ANIMATIONS = {"GIF", "WEBP", "PNG", "AVIF", "TIFF"}  # several frames elsewhere are depth maps or thumbnails
_OPENED = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM", "WEBP", "AVIF", "TIFF", "JPEG2000", "ICO")  # EPS runs programs
_LARGEST_SIDE = {"WEBP": 16_383, "JPEG": 65_500, "AVIF": 65_535}
MAX_STREAM_BYTES = 1 << 30  # of what comes through a pipe
_STREAM_STEP = 1 << 20
_pillow_limit = threading.Lock()


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a picture is written. format: "PNG", "JPEG", "WEBP", ..; None takes it from the file name, else the source's.
    quality: 1 to 100, None for the format's own default; formats without loss ignore it.
    """

    format: str | None = None
    quality: int | None = None
    strip_metadata: bool = False
    overwrite: bool = False


def read_image(source: Source, *, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """The picture, upright, in sRGB, 8 bit, (H, W, 3) uint8, with alpha and metadata beside it.

    Takes a path (of a pipe too), encoded bytes, an open binary file or anything with a read method, a PIL image, or an
    array: (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16. What cannot be read twice is read whole, up to 1 GiB. Of an
    animated file it is the first frame. Raises Photo2AnimeError, which says what is wrong and what to do.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decoded(lambda: _from_pil(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_file(io.BytesIO(source), max_megapixels)
    if isinstance(source, (str, Path)):
        with _open_file(Path(source)) as file:
            return _from_file(file, max_megapixels)
    if not hasattr(source, "read"):
        raise Photo2AnimeError(
            f"a {type(source).__name__} is not a picture; give a path, bytes, a PIL image or an array"
        )
    return _from_file(source, max_megapixels)


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
    temporary = target.with_name(f".photo2anime-{os.getpid()}-{threading.get_ident()}.tmp")
    encoded = encode_image(picture, options)
    try:
        if source is not None and not options.overwrite and target.exists() and target.samefile(source):
            raise Photo2AnimeError("would be overwritten by its own result; give another -o, or --overwrite")
        if target.is_dir():
            raise Photo2AnimeError(f"cannot write {target}: it is a folder; give a file name")
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(encoded)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise Photo2AnimeError(why_not_written(target, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
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
    file = io.BytesIO()
    try:
        image.save(file, format=format, **save_arguments(format, picture, options.quality, options.strip_metadata))
    except MemoryError as error:
        raise MemoryRanOutError from error
    except (OSError, ValueError, RuntimeError) as error:
        raise Photo2AnimeError(f"cannot be written as {format} ({error}); use -f png") from error
    return file.getvalue()


def writable_format(format: str | None) -> str:
    """The format a result is written in when nobody chose one: the source's, or the nearest that fits a painting."""
    if format in FORMATS.values():
        return str(format)
    return "JPEG" if format in ("HEIF", "MPO") else "PNG"


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


def _from_file(source: IO[bytes], max_megapixels: float) -> Picture:
    def read() -> Picture:
        seekable = getattr(source, "seekable", None)
        file = source if callable(seekable) and seekable() else _whole(source)
        first = file.read(1)
        if isinstance(first, str):
            raise Photo2AnimeError("is open as text; open it in binary mode")
        if not first:
            raise Photo2AnimeError("is empty (0 bytes); copy or download it again")
        file.seek(0)
        with _open_pil(file, max_megapixels) as image:
            return _from_pil(image)

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
    """What read returns; what Pillow's decoders raise is told in one line."""
    try:
        return read()
    except UnidentifiedImageError:
        raise NotAPictureError(
            "is not a picture this program knows; give JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or GIF"
        ) from None
    except MemoryError as error:
        raise MemoryRanOutError from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, RuntimeError) as error:
        if "memory" in str(error).lower():  # decoders in C say it in their own ways
            raise MemoryRanOutError from error
        raise Photo2AnimeError(f"is damaged or cut short ({error}); copy or download it again") from error


def _open_pil(file: IO[bytes], max_megapixels: float) -> Image.Image:
    """The header read, pixels not yet. Pillow's own bomb limit is lower and global, so it is lifted for the moment."""
    header = file.read(16)
    file.seek(0)
    if header[4:8] == b"ftyp" and not header[8:12].startswith(b"avi"):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    with _pillow_limit:
        pillows_own, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(file, formats=[*_OPENED, *({"HEIF"} & Image.OPEN.keys())])
        finally:
            Image.MAX_IMAGE_PIXELS = pillows_own
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise TooLargeError(
            f"has {megapixels:.3g} megapixels, the limit is {max_megapixels:g}; raise it with --max-megapixels"
        )
    return image


def _from_pil(image: Image.Image) -> Picture:
    if image.width == 0 or image.height == 0:
        raise Photo2AnimeError(f"has no pixels ({image.width}x{image.height})")
    format = image.format
    frames = getattr(image, "n_frames", 1) if format in _ANIMATIONS else 1
    profile, dpi = image.info.get("icc_profile"), image.info.get("dpi")
    exif = descriptive(image.getexif())
    image = ImageOps.exif_transpose(image)
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    image, alpha = _split_alpha(image)
    return Picture(
        rgb=np.asarray(_to_srgb(_to_8_bit(image), profile)),
        alpha=alpha,
        exif=exif,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 1 else None,  # TIFF says 1 for unknown
        format=format,
        frames=frames,
    )


def _split_alpha(image: Image.Image) -> tuple[Image.Image, NDArray[np.uint8] | None]:
    """The picture without transparency, and its alpha if it has one."""
    transparent = image.info.get("transparency")
    if image.mode.startswith("I;16") and isinstance(transparent, int):  # Pillow would convert all of it to white
        return image, np.where(np.asarray(image) == transparent, 0, 255).astype(np.uint8)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return image, np.asarray(image.getchannel("A"))
    return image, None


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Grey pictures of 16 or 32 bit or float as mode L; others unchanged (Pillow reads 16-bit colour as 8 already)."""
    if not (image.mode.startswith("I") or image.mode == "F"):
        return image
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    if image.mode == "F" and values.max() <= 1:
        full_scale = 1.0
    else:
        full_scale = 255.0 if image.mode in ("F", "I") and values.max() <= 255 else 65535.0
    return Image.fromarray((np.clip(values / full_scale, 0, 1) * 255 + 0.5).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Mode RGB, in sRGB. A profile that is damaged or of another colour model is ignored, as viewers do."""
    if profile:
        with suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            model = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L", "Lab ": "LAB"}.get(source.profile.xcolor_space)
            description = source.profile.profile_description or ""
            if model and (not description.startswith("sRGB") or "linear" in description.lower()):
                same_model = image if image.mode == model else image.convert(model)
                srgb = ImageCms.createProfile("sRGB")
                if converted := ImageCms.profileToProfile(same_model, source, srgb, outputMode="RGB"):
                    return converted
    return image if image.mode == "RGB" else image.convert("RGB")


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
