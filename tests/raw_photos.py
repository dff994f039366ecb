"""Makes small RAW photos: a DNG without compression, whose sensor saw what a picture shows."""

from __future__ import annotations

import struct

import numpy as np

from photo2anime.types import RGB

WHITE = (2.0, 1.0, 1.5)  # the camera's white balance
_FROM_XYZ = (3.2405, -1.5371, -0.4985, -0.9693, 1.8760, 0.0416, 0.0556, -0.2040, 1.0572)  # to linear sRGB
_BYTE, _TEXT, _SHORT, _LONG, _SHARE, _SIGNED_SHARE = 1, 2, 3, 4, 5, 10
_SIZES = {_BYTE: "B", _SHORT: "H", _LONG: "I"}


def dng(picture: RGB, *, orientation: int = 1, make: str = "Camera") -> bytes:
    """(H, W, 3) -> the file. Light that the curve of sRGB turns into picture when it is developed in WHITE."""
    height, width = picture.shape[:2]
    light = (picture / 255.0) ** 2.2 / np.array(WHITE)
    mosaic = np.empty((height, width), "<u2")
    for row, column, color in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):  # RGGB
        mosaic[row::2, column::2] = light[row::2, column::2, color] * 65535
    pixels = mosaic.tobytes()
    directory = _directory(_tags(height, width, len(pixels), orientation, make), at=8 + len(pixels))
    return struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + directory


def _tags(height: int, width: int, length: int, orientation: int, make: str) -> dict[int, tuple[int, list]]:
    """Kind and values by tag; 8 is where the pixels begin."""
    return {
        254: (_LONG, [0]),
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [16]),
        259: (_SHORT, [1]),
        262: (_SHORT, [32803]),
        271: (_TEXT, [make]),
        272: (_TEXT, ["Model"]),
        273: (_LONG, [8]),
        274: (_SHORT, [orientation]),
        277: (_SHORT, [1]),
        278: (_LONG, [height]),
        279: (_LONG, [length]),
        284: (_SHORT, [1]),
        33421: (_SHORT, [2, 2]),
        33422: (_BYTE, [0, 1, 1, 2]),
        50706: (_BYTE, [1, 4, 0, 0]),
        50708: (_TEXT, ["Unique"]),
        50714: (_SHORT, [0]),
        50717: (_LONG, [65535]),
        50721: (_SIGNED_SHARE, list(_FROM_XYZ)),
        50728: (_SHARE, [1 / gain for gain in WHITE]),
        50778: (_SHORT, [21]),  # daylight
    }


def _directory(tags: dict[int, tuple[int, list]], at: int) -> bytes:
    """A TIFF directory that lies at this place, and behind it what does not fit into its rows."""
    rows, behind = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        if kind == _TEXT:
            data = values[0].encode() + b"\0"
        elif kind in _SIZES:
            data = struct.pack(f"<{len(values)}{_SIZES[kind]}", *values)
        else:
            data = b"".join(struct.pack("<iI", round(value * 10000), 10000) for value in values)
        rows += struct.pack("<HHI", tag, kind, len(data) if kind == _TEXT else len(values))
        if len(data) <= 4:
            rows += data.ljust(4, b"\0")
            continue
        rows += struct.pack("<I", at + 2 + 12 * len(tags) + 4 + len(behind))
        behind += data + b"\0" * (len(data) % 2)
    return struct.pack("<H", len(tags)) + rows + bytes(4) + behind
