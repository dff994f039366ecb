"""Painted frames -> packets: which codecs there are, how they are set, and frames into their colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from photo2anime.pixels import next_multiple, pad_bottom_right
from photo2anime.types import RGB, Photo2AnimeError
from photo2anime.video.frames import Facts, Frame

# suffix -> (name of the container for FFmpeg, codec when nobody chose one)
CONTAINERS = {".mp4": ("mp4", "h264"), ".m4v": ("mp4", "h264"), ".mov": ("mov", "h264")}
CONTAINERS |= {".mkv": ("matroska", "h264"), ".webm": ("webm", "vp9")}


@dataclass(frozen=True, slots=True)
class Codec:
    """How a codec is used. crf: quality when nobody chose one, and the worst there is. even: sizes must be even."""

    encoder: str
    crf: int
    worst_crf: int
    options: tuple[tuple[str, str], ...]
    even: bool = False
    tag: str | None = None


CODECS = {
    "h264": Codec("libx264", 18, 51, (("preset", "veryfast"),), even=True),
    "hevc": Codec("libx265", 20, 51, (("preset", "superfast"), ("x265-params", "log-level=error")), True, "hvc1"),
    "vp9": Codec("libvpx-vp9", 28, 63, (("b", "0"), ("deadline", "realtime"), ("cpu-used", "6"), ("row-mt", "1"))),
    "av1": Codec("libsvtav1", 28, 63, (("preset", "10"),)),
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the result is coded. height, width: of the coded pixels, upright or not as the source stores them.
    matrix: libswscale's name of the colour matrix the pixels are written in.
    """

    codec: Codec
    crf: int
    pix_fmt: str
    height: int
    width: int
    matrix: int
    facts: Facts

    def configure(self, context: Any, global_header: bool) -> None:
        """Sets a codec context, or an output stream's, that is not open yet."""
        facts, colors = self.facts, self.facts.colors
        context.width, context.height, context.pix_fmt = self.width, self.height, self.pix_fmt
        context.time_base, context.framerate = facts.time_base, facts.fps
        context.sample_aspect_ratio = facts.pixel_aspect
        context.color_range, context.colorspace = colors.range, colors.matrix
        context.color_primaries, context.color_trc = colors.primaries, colors.transfer
        context.options = {**dict(self.codec.options), "crf": str(self.crf)}
        if global_header:
            context.flags |= av.codec.context.Flags.global_header
        if self.codec.tag:
            context.codec_tag = self.codec.tag


@dataclass(frozen=True, slots=True)
class Coded:
    """One packet as it goes to the file. dts is made from the order of the pts, not from the encoder."""

    data: bytes
    pts: int
    dts: int
    duration: int
    key: bool


class SegmentEncoder:
    """An encoder for a run of frames that decodes without the frames before it."""

    def __init__(self, encoding: Encoding, global_header: bool) -> None:
        self.encoding = encoding
        self.durations: dict[int, int] = {}
        self.packets: list[Any] = []
        self.context: Any = av.CodecContext.create(encoding.codec.encoder, "w")
        encoding.configure(self.context, global_header)

    def add(self, frame: Frame) -> None:
        """Codes one upright frame."""
        self.durations[frame.pts] = frame.duration
        with _told():
            self.packets += self.context.encode(to_video_frame(frame, self.encoding))

    def finish(self) -> tuple[list[Coded], int]:
        """All packets in coding order, and by how much the dts have to be moved down to stay at or below the pts."""
        with _told():
            self.packets += self.context.encode(None)
        in_time = sorted(packet.pts for packet in self.packets)
        shift = max(when - packet.pts for when, packet in zip(in_time, self.packets, strict=True))
        coded = [
            Coded(bytes(packet), packet.pts, when, self.durations[packet.pts], packet.is_keyframe)
            for when, packet in zip(in_time, self.packets, strict=True)
        ]
        return coded, shift


def to_video_frame(frame: Frame, encoding: Encoding) -> Any:
    """The frame turned as the source stores it, padded to the coded size, in the source's matrix and range, tagged."""
    facts, colors = encoding.facts, encoding.facts.colors
    rgb: RGB = np.rot90(frame.rgb, -facts.quarter_turns) if facts.quarter_turns else frame.rgb
    rgb = np.ascontiguousarray(pad_bottom_right(rgb, encoding.height, encoding.width))
    coded = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format=encoding.pix_fmt,
        src_color_range=2,
        dst_colorspace=encoding.matrix,
        dst_color_range=colors.range or 1,
    )
    coded.colorspace, coded.color_range = colors.matrix, colors.range
    coded.color_primaries, coded.color_trc = colors.primaries, colors.transfer
    coded.pts, coded.time_base = frame.pts, facts.time_base
    return coded


def plan_encoding(facts: Facts, matrix: int, codec: str, crf: int | None, pix_fmt: str, wide: int = 1) -> Encoding:
    """How a video of these facts is coded. wide: how many times as wide as the source the result is (side by side).

    Raises Photo2AnimeError for a crf or pixel format the codec does not have.
    """
    chosen = CODECS[codec]
    if crf is not None and not 0 <= crf <= chosen.worst_crf:
        raise Photo2AnimeError(f"--crf {crf} is outside 0 (best) to {chosen.worst_crf} of {codec}")
    offered = [f.name for f in av.Codec(chosen.encoder, "w").video_formats or []]
    if pix_fmt not in offered:
        raise Photo2AnimeError(f"--pix-fmt {pix_fmt} is not one of {codec}'s: {', '.join(offered)}")
    sideways = facts.quarter_turns % 2
    height, width = facts.height * (wide if sideways else 1), facts.width * (1 if sideways else wide)
    form = av.VideoFormat(pix_fmt)
    multiples = (form.chroma_height(2) == 1, form.chroma_width(2) == 1)
    if chosen.even:
        height = next_multiple(height, 1 + multiples[0])
        width = next_multiple(width, 1 + multiples[1])
    return Encoding(chosen, chosen.crf if crf is None else crf, pix_fmt, height, width, matrix, facts)


class _told:  # noqa: N801  reads as a statement
    """FFmpeg's refusals as ours."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FFmpegError):
            raise Photo2AnimeError(
                f"the encoder refused ({error.strerror}); try another --codec or --max-side"
            ) from error
