"""File types by their first bytes alone: neither the name, nor the declared type, nor a decoder is consulted."""

from __future__ import annotations

from photo2anime.images import jxl, raw

HEAD_BYTES = 4096  # of a file, enough to tell what it is
UNKNOWN = ".unknown"  # the extension of what is neither picture nor clip
EMPTY = ".empty"  # and of what has no bytes

_STARTS = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG\r\n\x1a\n": ".png",
    b"GIF87a": ".gif",
    b"GIF89a": ".gif",
    b"BM": ".bmp",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
    b"II+\x00": ".tif",
    b"MM\x00+": ".tif",
    b"\x00\x00\x01\x00": ".ico",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": ".jp2",
    b"\xff\x4f\xff\x51": ".jp2",
    b"\x1aE\xdf\xa3": ".mkv",  # Matroska and WebM
    b"\x00\x00\x01\xba": ".mpg",
}
_STARTS |= dict.fromkeys(jxl.STARTS, ".jxl") | dict.fromkeys(raw.STARTS, ".raw")
_RIFF = {b"WEBP": ".webp", b"AVI ": ".avi"}
_BRANDS = {b"avif": ".avif", b"avis": ".avif", b"heic": ".heic", b"heix": ".heic", b"heim": ".heic", b"heis": ".heic"}
_BRANDS |= {b"hevc": ".heic", b"hevx": ".heic", b"mif1": ".heic", b"msf1": ".heic", b"miaf": ".heic"}
_BRANDS[raw.CR3_BRAND] = ".raw"
_QUICKTIME = {b"moov", b"mdat", b"wide", b"free", b"skip"}  # boxes with which old films begin that have no ftyp
_PACKETS = ((188, 0), (192, 4))  # of a transport stream: length, and where in it the sync byte lies
_CLIPS = {".mp4", ".mkv", ".avi", ".ts", ".mpg", ".gif"}
_PICTURES = {".jpg", ".png", ".gif", ".bmp", ".tif", ".ico", ".jp2", ".webp", ".avif", ".heic", ".ppm"}
_PICTURES |= {suffix for suffix, lacking in ((".jxl", jxl.lacking()), (".raw", raw.lacking())) if lacking is None}
_LEADS_ELSEWHERE = (b"#EXTM3U", b"ffconcat", b"<MPD", b"c=IN IP", b"<SmoothStreamingMedia", b"[playlist]")


def extension_of(head: bytes) -> str:
    """The extension that fits a file with these first bytes, or UNKNOWN, or EMPTY when there are none.

    A file that begins as a clip and has the marks of a playlist, a concat script, a DASH or an SDP description in its
    head is UNKNOWN as well: such files name others, and FFmpeg looks for the marks in more places than the start.
    """
    found = _clean_extension(head) if head else EMPTY
    return UNKNOWN if found in _CLIPS and any(mark in head for mark in _LEADS_ELSEWHERE) else found


def is_picture(extension: str) -> bool:
    """Whether files of this extension go to the picture reader."""
    return extension in _PICTURES


def is_clip(extension: str) -> bool:
    """Whether files of this extension go to the video reader."""
    return extension in _CLIPS


def _clean_extension(head: bytes) -> str:
    for start, extension in _STARTS.items():
        if head.startswith(start):
            return extension
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], ".mp4")
    if head[4:8] in _QUICKTIME:
        return ".mp4"
    if head[:1] == b"P" and head[1:2] in b"1234567fF" and head[2:3].isspace():
        return ".ppm"
    if any(_is_transport_stream(head, *packet) for packet in _PACKETS):
        return ".ts"
    return UNKNOWN


def _is_transport_stream(head: bytes, length: int, offset: int) -> bool:
    syncs = head[offset::length]
    return len(syncs) >= 3 and set(syncs) == {0x47}
