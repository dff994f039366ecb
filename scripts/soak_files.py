"""What scripts/soak.py sends: photos, clips, and what is neither; made here, so that nothing has to lie anywhere."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from PIL import Image


@dataclass
class Files:
    """What is sent."""

    photos: list[bytes]
    clip: bytes
    long_clip: bytes
    bad: dict[str, bytes]


def files() -> Files:
    """Photos of changing sizes and formats, two clips, and what is no photo."""
    rng = np.random.default_rng(0)
    photos = []
    for number, format in enumerate(("JPEG", "PNG", "WEBP", "TIFF", "JPEG")):
        small = rng.integers(0, 255, (9, 12, 3), np.uint8)
        shown = Image.fromarray(small).resize((240 + 160 * number, 180 + 120 * number), Image.Resampling.BICUBIC)
        encoded = io.BytesIO()
        shown.save(encoded, format)
        photos.append(encoded.getvalue())
    bad = {
        "list.m3u8": b"#EXTM3U\n#EXTINF:2,\n/etc/passwd\n",
        "list.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "torn.jpg": photos[0][: len(photos[0]) // 2],
        "empty.png": b"",
        "page.png": b"<html><script>alert(1)</script></html>",
        "bomb.png": _bomb(),
    }
    return Files(photos, _clip(8, 96, 128), _clip(600, 240, 320), bad)


def _bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")


def _clip(frames: int, height: int, width: int) -> bytes:
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        picture = np.zeros((height, width, 3), np.uint8)
        for number in range(frames):
            picture[:] = (np.mgrid[0:height, 0:width][1] + 5 * number)[..., None] % 256
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return data.getvalue()
