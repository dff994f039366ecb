"""Reads colour codes (CICP) and gain maps from a picture file, where the decoder does not report them.

Boxes of HEIC and AVIF (ISO/IEC 14496-12, 23008-12), chunks of PNG. Only the head of the file is
read. Where it is damaged nothing is reported: the decoder raises its own error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from PIL import ExifTags, Image

from photo2anime.images.colors import ADOBE_RGB, ColorCode

GAIN_MAP = "has an HDR gain map: its SDR picture is painted, the map is left out"  # a note
_MAP_MARKS = (  # of Ultra HDR, of ISO 21496-1, of Apple
    *(b"http://ns.adobe.com/hdr-gain-map/1.0/", b"urn:iso:std:iso:ts:21496:-1"),
    *(b"urn:com:apple:photo:2020:aux:hdrgainmap", b"http://ns.apple.com/HDRGainMap"),
)
_LONGEST_JPEG_HEAD = 1 << 20
_IPTC, _LONGEST_IPTC = 33723, 1 << 20
_LONGEST_HEAD = 16 << 20  # bytes of boxes or chunks that are looked into


def color_code(image: Image.Image, exif: Image.Exif, file: IO[bytes] | None) -> ColorCode | None:
    """The colours the file gives by numbers, if they are not sRGB. A profile in the file takes precedence,
    unless they say HDR; in PNG the numbers do.
    """
    code = None
    if file is not None and image.format == "PNG":
        code = _code_of_png(file)
    elif file is not None and image.format == "AVIF":
        code = _code_of_boxes(_meta_box(file))
    elif nclx := image.info.get("nclx_profile"):
        code = ColorCode(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))
    profile = image.info.get("icc_profile")
    if profile and code and not (code.is_hdr or image.format == "PNG"):
        code = None
    if code is None and not profile and image.format in ("JPEG", "MPO", "TIFF") and _says_adobe_rgb(exif):
        code = ADOBE_RGB
    return None if code is None or code.is_srgb else code


def has_gain_map(image: Image.Image, file: IO[bytes] | None) -> bool:
    """Whether the file also holds a gain map, which makes the picture HDR."""
    if file is None or image.format not in ("JPEG", "MPO", "HEIF", "AVIF"):
        return False
    if image.format in ("HEIF", "AVIF"):
        meta = _meta_box(file)
        return b"tmap" in _item_types(meta) or any(mark in meta for mark in _MAP_MARKS)
    file.seek(0)
    data = file.read() if image.format == "MPO" else file.read(_LONGEST_JPEG_HEAD)  # MPO: the map tells of itself
    return any(mark in data for mark in _MAP_MARKS)


def _says_adobe_rgb(exif: Image.Exif) -> bool:
    """DCF's optional colour space: what cameras set to Adobe RGB write, most of them without a profile."""
    if ExifTags.IFD.Interop not in exif.get_ifd(ExifTags.IFD.Exif):
        return False
    return str(exif.get_ifd(ExifTags.IFD.Interop).get(1, "")).startswith("R03")


def _code_of_png(file: IO[bytes]) -> ColorCode | None:
    """PNG's cICP chunk."""
    file.seek(8)
    read = 0
    while read < _LONGEST_HEAD and len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind == b"cICP" and length == 4:
            primaries, transfer, _, _ = file.read(4)
            return ColorCode(primaries, transfer)
        if kind in (b"IDAT", b"IEND"):
            return None
        file.seek(length + 4, 1)
        read += length + 12
    return None


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of each box."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        size = len(data) - at if size == 0 else size
        if size < head:
            return
        yield kind, data[at + head : at + size]
        at += size


def _meta_box(file: IO[bytes]) -> bytes:
    """The boxes inside the file's meta box; nothing if it has none."""
    file.seek(0)
    while len(header := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", header)
        head = 8
        if size == 1:
            size, head = int.from_bytes(file.read(8), "big"), 16
        if kind == b"meta":
            length = size - head if size else _LONGEST_HEAD
            return file.read(min(max(length, 0), _LONGEST_HEAD))[4:]
        if size < head:
            return b""
        file.seek(size - head, 1)
    return b""


def _code_of_boxes(meta: bytes) -> ColorCode | None:
    """The nclx colours of the primary picture, or the only ones there are."""
    parts = dict(boxes(meta))
    inside = dict(boxes(parts.get(b"iprp", b"")))
    properties = list(boxes(inside.get(b"ipco", b"")))
    codes = {
        number: ColorCode(*struct.unpack_from(">HH", content, 4))
        for number, (kind, content) in enumerate(properties, start=1)
        if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 10
    }
    try:
        wanted = _properties_of_primary(parts.get(b"pitm", b""), inside.get(b"ipma", b""))
    except (struct.error, IndexError):
        return None
    found = [code for number, code in codes.items() if number in wanted]
    everywhere = set(codes.values())  # of a grid's tiles, when the grid itself says nothing
    return found[0] if found else everywhere.pop() if len(everywhere) == 1 else None


def _properties_of_primary(pitm: bytes, ipma: bytes) -> set[int]:
    """The numbers of the properties that belong to the primary item. Raises struct.error for boxes cut short."""
    primary = struct.unpack_from(">I" if pitm[0] else ">H", pitm, 4)[0]
    version, wide = ipma[0], ipma[3] & 1
    (entries,), at = struct.unpack_from(">I", ipma, 4), 8
    for _ in range(min(entries, len(ipma))):
        item = struct.unpack_from(">I" if version else ">H", ipma, at)[0]
        at += 4 if version else 2
        count = ipma[at]
        numbers = struct.unpack_from(f">{count}{'H' if wide else 'B'}", ipma, at + 1)
        at += 1 + count * (2 if wide else 1)
        if item == primary:
            return {number & (0x7FFF if wide else 0x7F) for number in numbers}
    return set()


def _item_types(meta: bytes) -> set[bytes]:
    """What kinds of items there are, as four letters each."""
    iinf = dict(boxes(meta)).get(b"iinf", b"")
    entries = boxes(iinf[8 if iinf[:1] != b"\0" else 6 :])
    return {content[8:12] if content[:1] == b"\x02" else content[10:14] for kind, content in entries if kind == b"infe"}


def tiff_iptc(file: IO[bytes]) -> bytes | None:
    """The bytes of a TIFF's IPTC tag, which Pillow takes for one number when it is stored as numbers."""
    file.seek(0)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get((header := file.read(8))[:4])
    if order is None or len(header) < 8:
        return None
    file.seek(struct.unpack(order + "I", header[4:])[0])
    (count,) = struct.unpack(order + "H", file.read(2).ljust(2, b"\0"))
    rows = file.read(12 * count)
    for at in range(0, len(rows) - 11, 12):
        tag, kind, length, offset = struct.unpack_from(order + "HHII", rows, at)
        if tag == _IPTC:
            file.seek(offset)
            return file.read(min(length * (4 if kind in (4, 13) else 1), _LONGEST_IPTC))
    return None
