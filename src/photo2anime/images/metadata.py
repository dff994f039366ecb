"""Metadata of a picture file (EXIF, XMP, IPTC, text, resolution), read and carried over to the result."""

from __future__ import annotations

import re
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from photo2anime.images.xmp import Properties, with_properties
from photo2anime.types import Picture

QUALITY = {"JPEG": 92, "WEBP": 90, "AVIF": 80, "JXL": 90}  # pictures with lines and flat areas show artefacts early
_MAX_JPEG_SEGMENT = 65_500  # bytes of EXIF or XMP that fit into one JPEG segment
_COMMENT = "Comment"
_BARE = ("WEBP", "AVIF", "JXL")  # without a place for IPTC, text and resolution
_INCH, _CENTIMETER = 2, 3  # EXIF's units of resolution
_RESOLUTION, _MOST_DPI = (ExifTags.Base.XResolution, ExifTags.Base.YResolution), 65_536
_IPTC_IN_TIFF, _IPTC_RESOURCE, _IPTC_IN_PNG = 33723, 0x0404, "Raw profile type iptc"
_OF_PARTS = re.compile(rb"""\s(?:hdrgm|HDRGainMap|GCamera:(?=M)):?\w{1,60}\s?=\s?["'][^"']{0,200}["']""")
_SUB_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_STORAGE_TAGS = {  # of TIFF 6.0 and its supplements: size, depth, strips, tiles, colour model, embedded profiles
    *(*range(254, 260), 262, 266, 273, 274, *range(277, 285), 292, 293, 296, 301, *range(317, 326)),
    *(330, 332, 338, 339, 347, 512, 513, 514, *range(529, 533), 700, 33723, 34377, 34675),
}


def descriptive(exif: Image.Exif) -> bytes | None:
    """Raw EXIF without the tags on how the file stored or rotated the photo; None if there is none."""
    kept = Image.Exif()
    for tag, value in exif.items():
        if tag not in _STORAGE_TAGS and tag not in _SUB_DIRECTORIES:
            kept[tag] = value
    for directory in _SUB_DIRECTORIES:
        kept.get_ifd(directory).update(exif.get_ifd(directory))
    if ExifTags.Base.ColorSpace in kept.get_ifd(ExifTags.IFD.Exif):
        kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = 1  # sRGB, whatever it was
    for stale in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight):
        kept.get_ifd(ExifTags.IFD.Exif).pop(stale, None)
    for directory in _SUB_DIRECTORIES:
        if kept.get_ifd(directory):
            kept[directory] = kept.get_ifd(directory)
    return kept.tobytes() if len(kept) else None


def text_of(image: Image.Image) -> tuple[tuple[str, str], ...]:
    """Keyword and text of PNG's chunks and of comments. The picture has to be loaded: some chunks follow the pixels."""
    told = dict(getattr(image, "text", {})) if image.format == "PNG" else {}
    if isinstance(comment := image.info.get("comment"), bytes) and comment.strip(b"\0 "):
        told[_COMMENT] = comment.decode("utf-8", errors="replace").rstrip("\0")
    known = {str(key): str(value) for key, value in told.items() if 0 < len(str(key)) < 80}
    return tuple(
        (key, value) for key, value in known.items() if not key.startswith(("XML:com.adobe.xmp", "Raw profile"))
    )


def iptc_of(image: Image.Image, in_tiff: bytes | None) -> bytes | None:
    """The records of IPTC-IIM, as JPEG and ImageMagick's PNG keep them; in_tiff: those a TIFF has."""
    resources = image.info.get("photoshop")
    if isinstance(resources, dict):
        found = resources.get(_IPTC_RESOURCE)
    elif image.format == "PNG":
        found = _unwrapped(str(getattr(image, "text", {}).get(_IPTC_IN_PNG, "")))
    else:
        found = in_tiff
    return found if isinstance(found, bytes) and found[:1] == b"\x1c" else None


def without_parts(xmp: bytes | None) -> bytes | None:
    """XMP without the entries on other parts of the file, which are not kept: gain maps, motion photos."""
    if not xmp or not any(mark in xmp for mark in (b"hdrgm:", b"HDRGainMap:", b"Container:", b"GCamera:M")):
        return xmp
    start, end = b"<Container:Directory", b"</Container:Directory>"
    while (first := xmp.find(start)) >= 0 and (last := xmp.find(end, first)) >= 0:
        xmp = xmp[:first] + xmp[last + len(end) :]
    return _OF_PARTS.sub(b"", xmp)


def save_arguments(format: str, picture: Picture, quality: int | None, strip_metadata: bool) -> dict[str, Any]:
    """What Pillow's save takes for this format: quality, profile, metadata."""
    arguments: dict[str, Any] = {}
    if format != "BMP":
        arguments["icc_profile"] = _srgb_profile()
    if format in QUALITY:
        arguments["quality"] = quality or QUALITY[format]
    if format == "JPEG":
        arguments["subsampling"] = "4:4:4"  # thin coloured lines bleed at 4:2:0
    if format == "JXL" and quality == 100:  # which the plugin refuses by that name
        arguments["lossless"] = True
    if format == "TIFF" and (strip_metadata or not picture.exif):
        arguments["compression"] = "tiff_lzw"  # Pillow writes GPS positions only into uncompressed TIFF
    if strip_metadata:
        return arguments
    return arguments | carried(format, picture).arguments


@dataclass(frozen=True, slots=True)
class Carried:
    """What a format takes of a picture's metadata. arguments: of Pillow's save. left_out: what has none, in words."""

    arguments: dict[str, Any]
    left_out: tuple[str, ...] = ()

    @property
    def note(self) -> str | None:
        """One line for the user, where something is left out."""
        return f"has metadata that the result cannot hold: {', '.join(self.left_out)}" if self.left_out else None


def carried(format: str, picture: Picture) -> Carried:
    """EXIF, XMP, IPTC, text and resolution in the places that the format has for them: text and IPTC go into XMP where
    there is no other; what does not fit into a JPEG segment, or has no place at all, is left out.
    """
    arguments: dict[str, Any] = {"dpi": picture.dpi} if picture.dpi else {}
    if format == "BMP":
        had = {"EXIF": picture.exif, "XMP": picture.xmp, "IPTC": picture.iptc, "text": picture.text}
        return Carried(arguments, tuple(name for name, content in had.items() if content))
    longest = _MAX_JPEG_SEGMENT if format == "JPEG" else sys.maxsize
    exif = _with_resolution(picture) if format in _BARE else picture.exif
    fitting = {"EXIF": exif, "XMP": picture.xmp, "IPTC": picture.iptc}
    left_out = [name for name, content in fitting.items() if content and len(content) + 64 > longest]
    exif, xmp, iptc = (None if name in left_out else content for name, content in fitting.items())
    text = picture.text
    if format == "JPEG":
        comment = dict(text).get(_COMMENT, "").encode()
        if comment and len(comment) <= longest:
            arguments["comment"] = comment
            text = tuple(pair for pair in text if pair[0] != _COMMENT)
    if format != "PNG":
        xmp, lost = _xmp_with_all(xmp, text, iptc if format in _BARE else None, longest)
        left_out += lost
    if format == "JXL" and exif:
        exif = bytes(4) + exif.removeprefix(b"Exif\0\0")  # 4: where it begins
    arguments |= {"exif": exif} if exif else {}
    if format == "PNG":
        arguments["pnginfo"] = _png_text(picture, xmp, iptc)
    elif format == "TIFF" and (xmp or iptc):
        arguments["exif"] = Image.Exif()
        arguments["exif"].load(exif or b"")
        arguments["exif"].update({ExifTags.Base.XMLPacket: xmp} if xmp else {})
        arguments["exif"].update({_IPTC_IN_TIFF: iptc} if iptc else {})
    elif xmp and format != "TIFF":
        arguments["xmp"] = xmp
    if format == "JPEG" and iptc:
        arguments["extra"] = _segment(iptc)
    return Carried(arguments, tuple(left_out))


def _xmp_with_all(
    xmp: bytes | None, text: tuple[tuple[str, str], ...], iptc: bytes | None, longest: int
) -> tuple[bytes | None, list[str]]:
    """The packet with text and IPTC in it, and what is left out in words."""
    added = Properties()
    if iptc:
        added.add_iptc(iptc)
    added.add_text(text)
    whole = with_properties(xmp, added)
    if added.values and (whole is None or len(whole) + 64 > longest):
        return xmp, [*(["IPTC"] if iptc else []), *(["text"] if text else [])]
    return whole or xmp, [f"IPTC data set 2:{number}" for number in added.homeless]


def _with_resolution(picture: Picture) -> bytes | None:
    """The picture's EXIF with its resolution, for formats that have no other place for it."""
    if picture.dpi is None:
        return picture.exif
    exif = Image.Exif()
    exif.load(picture.exif or b"")
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = picture.dpi
    exif[ExifTags.Base.ResolutionUnit] = _INCH
    return exif.tobytes()


def resolution_of(image: Image.Image, exif: Image.Exif) -> tuple[float, float] | None:
    """Pixels an inch (x, y), from where the format keeps them, else from EXIF; None where nobody says."""
    dpi = image.info.get("dpi")
    if dpi is None:
        unit = 2.54 if exif.get(ExifTags.Base.ResolutionUnit) == _CENTIMETER else 1.0
        with suppress(TypeError, ValueError, ZeroDivisionError):
            dpi = tuple(float(exif[tag]) * unit for tag in _RESOLUTION if tag in exif)
    if dpi and len(dpi) == 2 and all(1 < one < _MOST_DPI for one in dpi):  # TIFF says 1 for unknown
        return float(dpi[0]), float(dpi[1])
    return None


def _png_text(picture: Picture, xmp: bytes | None, iptc: bytes | None) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    if xmp:
        info.add_itxt("XML:com.adobe.xmp", xmp.decode(errors="replace"))
    if iptc:
        block = _resource(iptc)
        info.add_text(_IPTC_IN_PNG, f"\niptc\n{len(block):8}\n{block.hex()}\n", zip=True)
    for key, value in picture.text:
        info.add_text(key, value)
    return info


def _resource(iptc: bytes) -> bytes:
    """Photoshop's resource around the records."""
    head = struct.pack(">4sHHI", b"8BIM", _IPTC_RESOURCE, 0, len(iptc))
    return head + iptc + b"\0" * (len(iptc) % 2)


def _segment(iptc: bytes) -> bytes:
    content = b"Photoshop 3.0\0" + _resource(iptc)
    return struct.pack(">2sH", b"\xff\xed", len(content) + 2) + content


def _unwrapped(profile: str) -> bytes | None:
    """The records in what ImageMagick writes: a name, a length, hexadecimal digits."""
    try:
        block = bytes.fromhex("".join(profile.split()[2:]))
    except ValueError:
        return None
    start = block.find(struct.pack(">4sH", b"8BIM", _IPTC_RESOURCE))
    if start < 0 or len(block) < start + 12:
        return block if block[:1] == b"\x1c" else None
    length = struct.unpack_from(">I", block, start + 8)[0]
    return block[start + 12 : start + 12 + length]


@cache
def _srgb_profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]  # without the time it was made, so that results can be compared
