"""What a picture file says beside its pixels: EXIF, XMP, resolution, colour profile; kept from file to file."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from photo2anime.types import Picture

QUALITY = {"JPEG": 92, "WEBP": 90, "AVIF": 80}  # pictures with lines and flat areas show artefacts early
_MAX_JPEG_SEGMENT = 65_500  # bytes of EXIF or XMP that fit into one JPEG segment
_SUB_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_STORAGE_TAGS = {  # of TIFF 6.0 and its supplements: size, depth, strips, tiles, colour model, embedded profiles
    *(*range(254, 260), 262, 266, 273, 274, *range(277, 285), 292, 293, 296, 301, *range(317, 326)),
    *(330, 332, 338, 339, 347, 512, 513, 514, *range(529, 533), 700, 33723, 34377, 34675),
}


def descriptive(exif: Image.Exif) -> bytes | None:
    """Raw EXIF with the tags that tell of the photo, not of how its file stored or turned it; None if there is none."""
    kept = Image.Exif()
    for tag, value in exif.items():
        if tag not in _STORAGE_TAGS and tag not in _SUB_DIRECTORIES:
            kept[tag] = value
    for directory in _SUB_DIRECTORIES:
        kept.get_ifd(directory).update(exif.get_ifd(directory))
    for stale in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight):
        kept.get_ifd(ExifTags.IFD.Exif).pop(stale, None)
    for directory in _SUB_DIRECTORIES:
        if kept.get_ifd(directory):
            kept[directory] = kept.get_ifd(directory)
    return kept.tobytes() if len(kept) else None


def save_arguments(format: str, picture: Picture, quality: int | None, strip_metadata: bool) -> dict[str, Any]:
    """What Pillow's save takes for this format: quality, profile, metadata."""
    arguments: dict[str, Any] = {}
    if format != "BMP":
        arguments["icc_profile"] = _srgb_profile()
    if format in QUALITY:
        arguments["quality"] = quality or QUALITY[format]
    if format == "JPEG":
        arguments["subsampling"] = "4:4:4"  # thin coloured lines bleed at 4:2:0
    if format == "TIFF" and (strip_metadata or not picture.exif):
        arguments["compression"] = "tiff_lzw"  # Pillow writes GPS positions only into uncompressed TIFF
    if strip_metadata or format == "BMP":
        return arguments
    return arguments | _metadata_arguments(format, picture)


def _metadata_arguments(format: str, picture: Picture) -> dict[str, Any]:
    """What Pillow's save takes for EXIF, XMP and resolution; what does not fit into a JPEG segment is left out."""
    arguments: dict[str, Any] = {}
    longest = _MAX_JPEG_SEGMENT if format == "JPEG" else sys.maxsize
    if picture.dpi:
        arguments["dpi"] = picture.dpi
    if picture.exif and len(picture.exif) <= longest:
        arguments["exif"] = picture.exif
    if not picture.xmp or len(picture.xmp) > longest:
        return arguments
    if format == "PNG":
        arguments["pnginfo"] = PngImagePlugin.PngInfo()
        arguments["pnginfo"].add_itxt("XML:com.adobe.xmp", picture.xmp.decode(errors="replace"))
    elif format == "TIFF":
        arguments["exif"] = Image.Exif()
        arguments["exif"].load(picture.exif or b"")
        arguments["exif"][ExifTags.Base.XMLPacket] = picture.xmp
    else:
        arguments["xmp"] = picture.xmp
    return arguments


@cache
def _srgb_profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]  # without the time it was made, so that results can be compared
