"""A painted photo for posting: photo and painting side by side, or a short video in which one wipes over the other."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from io import BytesIO

import numpy as np

from photo2anime.images.image_io import WriteOptions
from photo2anime.painting import compose
from photo2anime.types import RGB, Picture
from photo2anime.web.server.paint_service import encoded

_PICTURE_PX = 1080  # longer side of each half
_VIDEO_PX = 720
_FPS, _SECONDS = 30, 4  # it begins as it ends, so that it loops
_LINE_PX = 4
_JPEG = WriteOptions(format="JPEG", quality=90, strip_metadata=True)


def before_after_picture(photo: Picture, painted: Picture) -> bytes:
    """A JPEG with the photo left and its painting right."""
    before, after = (replace(compose.shrink(p, _PICTURE_PX), alpha=None) for p in (photo, painted))
    return encoded(compose.beside(before, after), _JPEG).data


def before_after_video(photo: Picture, painted: Picture) -> bytes:
    """An MP4 of four seconds: a line sweeps over the photo, leaves the painting behind, and goes back."""
    import av

    from photo2anime.video.media import open_output

    before, after = (_even(compose.shrink(picture, _VIDEO_PX).rgb) for picture in (photo, painted))
    height, width = before.shape[:2]
    file = BytesIO()
    with open_output(file, "mp4", {}) as container:
        stream = container.add_stream("libx264", rate=Fraction(_FPS), options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(_FPS * _SECONDS):
            share = 0.5 - 0.5 * math.cos(2 * math.pi * number / (_FPS * _SECONDS))
            frame = av.VideoFrame.from_ndarray(wiped(before, after, share), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def wiped(before: RGB, after: RGB, share: float) -> RGB:
    """After in the left share of the width, before in the rest, a white line between; two (H, W, 3) uint8 of a size."""
    width = before.shape[1]
    edge = round(share * width)
    frame = np.concatenate([after[:, :edge], before[:, edge:]], axis=1)
    if 0 < edge < width:
        frame[:, max(0, edge - _LINE_PX // 2) : edge + _LINE_PX // 2] = 255
    return frame


def _even(rgb: RGB) -> RGB:
    """Cut to even sides, as H.264 with halved colours needs them."""
    return np.ascontiguousarray(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])
