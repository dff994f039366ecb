"""A Pillow image -> Picture: upright, sRGB, 8 bits, alpha separate, with its metadata."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, TiffImagePlugin

from photo2anime.images.color_codes import GAIN_MAP, color_code, has_gain_map, tiff_iptc
from photo2anime.images.colors import from_float, to_srgb
from photo2anime.images.metadata import descriptive, iptc_of, resolution_of, text_of, without_parts
from photo2anime.types import Photo2AnimeError, Picture

DEEP = "has more than 8 bits a colour: it is painted and written with 8"  # a note
_ANIMATIONS = {"GIF", "WEBP", "PNG", "AVIF", "TIFF"}  # several frames elsewhere are depth maps or thumbnails
_PNG_DEPTH_AT = 24  # in its header
_settings = threading.Lock()


@dataclass(frozen=True, slots=True)
class Opened:
    """What a decoder returned. image: any mode, not turned upright yet. file: the file itself, to read more of it.
    notes: lines for the user.
    """

    image: Image.Image
    exif: Image.Exif
    format: str | None
    frames: int = 1
    file: IO[bytes] | None = None
    notes: tuple[str, ...] = ()


def open_unlimited(file: IO[bytes], formats: Iterable[str], *, libtiff: bool = False) -> Image.Image:
    """Pillow's Image.open, any size: its own limit is low and global, so it is lifted for the moment.

    libtiff: read TIFFs without compression through it too; Pillow takes some of them for what they are not.
    """
    with _settings:
        pillows_own, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        TiffImagePlugin.READ_LIBTIFF = libtiff
        try:
            return Image.open(file, formats=list(formats))
        finally:
            Image.MAX_IMAGE_PIXELS = pillows_own
            TiffImagePlugin.READ_LIBTIFF = False


def opened(image: Image.Image, file: IO[bytes] | None = None) -> Opened:
    """What Pillow opened."""
    frames = getattr(image, "n_frames", 1) if image.format in _ANIMATIONS else 1
    return Opened(image, image.getexif(), image.format, frames, file)


def picture_of(source: Opened) -> Picture:
    """The picture. Raises what Pillow's decoders raise when they meet damage, and Photo2AnimeError for no pixels."""
    image, info = source.image, source.image.info
    if image.width == 0 or image.height == 0:
        raise Photo2AnimeError(f"has no pixels ({image.width}x{image.height})")
    notes = list(source.notes)
    place = source.file.tell() if source.file else 0
    code = color_code(image, source.exif, source.file)
    raw_iptc = tiff_iptc(source.file) if source.file and source.format == "TIFF" else None
    if has_gain_map(image, source.file):
        notes.append(GAIN_MAP)
    if _is_deep(image, source.file):
        notes.append(DEEP)
    if source.file:
        source.file.seek(place)  # the decoder goes on from there
    profile = info.get("icc_profile")
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    image.load()  # PNG tells the rest of its text only now
    text, iptc = text_of(image), iptc_of(image, raw_iptc)
    upright = source.exif.get(ExifTags.Base.Orientation, 1) == 1
    if code and code.is_hdr and upright and (finer := _finer(image, source.file)) is not None:
        rgb, alpha = to_srgb(finer, code), None
        notes.append(code.note)
    else:
        image, alpha = _split_alpha(_turned(image, source.exif))
        image, note = _to_8_bit(image)
        notes += [note] if note else []
        if code is None:
            rgb = np.asarray(_to_srgb(image, profile))
        else:
            rgb = to_srgb(np.asarray(image.convert("RGB")), code)
            notes.append(code.note)
    return Picture(
        rgb=rgb,
        alpha=alpha,
        exif=descriptive(source.exif),
        xmp=without_parts(xmp.encode() if isinstance(xmp, str) else xmp),
        iptc=iptc,
        text=text,
        dpi=resolution_of(image, source.exif),
        format=source.format,
        frames=source.frames,
        notes=tuple(notes),
    )


def _is_deep(image: Image.Image, file: IO[bytes] | None) -> bool:
    """Whether the result could hold 16 bits a colour, as the file does: Pillow gives most PNGs of 16 bits in 8."""
    if file is None or image.format != "PNG":
        return image.mode.startswith("I;16")
    file.seek(_PNG_DEPTH_AT)
    return file.read(1) == b"\x10"


def _turned(image: Image.Image, exif: Image.Exif) -> Image.Image:
    """The picture upright, by its own EXIF or the one that was read for it."""
    if image.format is None and ExifTags.Base.Orientation in exif:  # made by us: it has none of its own
        image.getexif()[ExifTags.Base.Orientation] = exif[ExifTags.Base.Orientation]
    return ImageOps.exif_transpose(image)


def _finer(image: Image.Image, file: IO[bytes] | None) -> NDArray[np.uint16] | None:
    """(H, W, 3) in 16 bit of an opaque HEIC or PNG, which Pillow gives in 8; None of others."""
    if file is None or image.mode != "RGB" or image.has_transparency_data:
        return None
    if image.format == "PNG":
        return _deep_png(image, file)
    if image.format != "HEIF" or image.info.get("bit_depth", 8) <= 8:
        return None
    from pillow_heif import open_heif

    file.seek(0)
    pixels = np.asarray(open_heif(file, convert_hdr_to_8bit=False))
    return pixels if pixels.dtype == np.uint16 and pixels.shape == (image.height, image.width, 3) else None


def _deep_png(image: Image.Image, file: IO[bytes]) -> NDArray[np.uint16] | None:
    """The lower halves of a 16-bit PNG's samples are read by calling them the upper ones; None of one in 8 bit."""
    file.seek(0)
    again = open_unlimited(file, ["PNG"])
    if len(again.tile) != 1 or again.tile[0].args != "RGB;16B":  # type: ignore[attr-defined]
        return None
    again.tile = [again.tile[0]._replace(args="RGB;16L")]  # type: ignore[attr-defined]
    upper: NDArray[np.uint16] = np.asarray(image).astype(np.uint16)
    lower: NDArray[np.uint8] = np.asarray(again)
    return upper * 256 + lower


def _split_alpha(image: Image.Image) -> tuple[Image.Image, NDArray[np.uint8] | None]:
    """The picture without transparency, and its alpha if it has one."""
    transparent = image.info.get("transparency")
    if image.mode.startswith("I;16") and isinstance(transparent, int):  # Pillow would convert all of it to white
        return image, np.where(np.asarray(image) == transparent, 0, 255).astype(np.uint8)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return image, np.asarray(image.getchannel("A"))
    return image, None


def _to_8_bit(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Grey pictures of 16 or 32 bit or float as mode L, and a note for the user; others unchanged."""
    if not (image.mode.startswith("I") or image.mode == "F"):
        return image, None
    values: NDArray[Any] = np.asarray(image)
    if image.mode == "F":
        grey, note = from_float(values)
        return Image.fromarray(grey), note
    full_scale = 255.0 if image.mode == "I" and values.max() <= 255 else 65535.0
    return Image.fromarray((np.clip(values.astype(np.float32) / full_scale, 0, 1) * 255 + 0.5).astype(np.uint8)), None


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
