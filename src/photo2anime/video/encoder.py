"""Painted frames -> packets: the codecs, their settings, and conversion to their pixel formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import av
import numpy as np
from av.error import FFmpegError
from av.packet import PacketSideData, PktSideDataT
from numpy.typing import NDArray

from photo2anime.inference.pixels import next_multiple, pad_bottom_right
from photo2anime.inference.runtime import cpu_features
from photo2anime.types import Photo2AnimeError
from photo2anime.video.frames import Facts, Frame

# suffix -> (name of the container for FFmpeg, codec when nobody chose one)
CONTAINERS = {".mp4": ("mp4", "h264"), ".m4v": ("mp4", "h264"), ".mov": ("mov", "h264")}
CONTAINERS |= {".mkv": ("matroska", "h264"), ".webm": ("webm", "vp9")}
_FOR_ALPHA = {
    "mov": "prores",
    "matroska": "vp9",
    "webm": "vp9",
}  # codec when nobody chose one and there is transparency
_SIDE_DATA = "matroska_block_additional"  # where VP9 puts the transparency of a packet


@dataclass(frozen=True, slots=True)
class Codec:
    """How a codec is used. crf: quality when nobody chose one, and the worst there is; None where there is no such
    thing. even: sizes must be even. pix_fmt: when nobody chose one; with_alpha: the same where alpha_in holds the
    container, which keeps the transparency.
    """

    encoder: str
    crf: int | None
    worst_crf: int
    options: tuple[tuple[str, str], ...]
    even: bool = False
    tag: str | None = None
    pix_fmt: str = "yuv420p"
    with_alpha: str = ""
    alpha_in: tuple[str, ...] = ()


_X265, _VP9 = (("preset", "superfast"), ("x265-params", "log-level=error")), (("b", "0"), ("deadline", "realtime"))
CODECS = {
    "h264": Codec("libx264", 18, 51, (("preset", "veryfast"),), even=True),
    "hevc": Codec("libx265", 20, 51, _X265, True, "hvc1"),
    "vp9": Codec(
        "libvpx-vp9",
        28,
        63,
        (*_VP9, ("cpu-used", "6"), ("row-mt", "1")),
        with_alpha="yuva420p",
        alpha_in=("matroska", "webm"),
    ),
    "av1": Codec("libsvtav1", 28, 63, (("preset", "10"),)),
    "prores": Codec(
        "prores_ks",
        None,
        0,
        (("vendor", "apl0"),),
        pix_fmt="yuv422p10le",
        with_alpha="yuva444p10le",
        alpha_in=("mov", "matroska"),
    ),
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the result is coded. height, width: of the coded pixels, upright or not as the source stores them.
    matrix: libswscale's name of the colour matrix the pixels are written in. alpha: whether transparency is kept.
    """

    codec: Codec
    crf: int | None
    pix_fmt: str
    height: int
    width: int
    matrix: int
    facts: Facts
    alpha: bool = False

    def configure(self, context: Any, global_header: bool) -> None:
        """Sets a codec context, or an output stream's, that is not open yet."""
        facts, colors = self.facts, self.facts.colors
        context.width, context.height, context.pix_fmt = self.width, self.height, self.pix_fmt
        context.time_base, context.framerate = facts.time_base, facts.fps
        context.sample_aspect_ratio = facts.pixel_aspect
        context.color_range, context.colorspace = colors.range, colors.matrix
        context.color_primaries, context.color_trc = colors.primaries, colors.transfer
        context.options = dict(self.codec.options) | ({} if self.crf is None else {"crf": str(self.crf)})
        if self.codec.encoder == "libx264":
            context.options |= {"x264-params": ":".join(_steady_x264(self.pix_fmt))}
        if global_header:
            context.flags |= av.codec.context.Flags.global_header
        if self.codec.tag:
            context.codec_tag = self.codec.tag


@dataclass(frozen=True, slots=True)
class Coded:
    """One packet as it goes to the file. dts is made from the order of the pts, not from the encoder. alpha: what VP9
    keeps beside a packet's data.
    """

    data: bytes
    pts: int
    dts: int
    duration: int
    key: bool
    alpha: bytes = b""

    def packet(self) -> Any:
        """As av wants it; the stream and its unit of time are the caller's."""
        packet: Any = av.Packet(self.data)
        packet.pts, packet.dts, packet.duration, packet.is_keyframe = self.pts, self.dts, self.duration, self.key
        if self.alpha:
            side: Any = PacketSideData(get_args(PktSideDataT).index(_SIDE_DATA), len(self.alpha))  # type: ignore[call-arg]
            side.update(self.alpha)
            packet.set_sidedata(side)
        return packet


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
        with _reporting_ffmpeg_errors():
            self.packets += self.context.encode(to_video_frame(frame, self.encoding))

    def finish(self) -> tuple[list[Coded], int]:
        """All packets in coding order, and by how much the dts have to be moved down to stay at or below the pts."""
        with _reporting_ffmpeg_errors():
            self.packets += self.context.encode(None)
        in_time = sorted(packet.pts for packet in self.packets)
        shift = max(when - packet.pts for when, packet in zip(in_time, self.packets, strict=True))
        coded = [
            Coded(
                bytes(packet),
                packet.pts,
                when,
                self.durations[packet.pts],
                packet.is_keyframe,
                bytes(packet.get_sidedata(_SIDE_DATA)) if packet.has_sidedata(_SIDE_DATA) else b"",
            )
            for when, packet in zip(in_time, self.packets, strict=True)
        ]
        return coded, shift


def to_video_frame(frame: Frame, encoding: Encoding) -> Any:
    """The frame turned as the source stores it, padded to the coded size, in the source's matrix and range, tagged."""
    facts, colors = encoding.facts, encoding.facts.colors
    pixels: NDArray[np.uint8] = frame.rgb
    if encoding.alpha:
        opaque = np.full(frame.rgb.shape[:2], 255, np.uint8)
        pixels = np.dstack([frame.rgb, opaque if frame.alpha is None else frame.alpha])
    pixels = np.rot90(pixels, -facts.quarter_turns) if facts.quarter_turns else pixels
    pixels = np.ascontiguousarray(pad_bottom_right(pixels, encoding.height, encoding.width))
    coded = av.VideoFrame.from_ndarray(pixels, format="rgba" if encoding.alpha else "rgb24").reformat(
        format=encoding.pix_fmt,
        src_color_range=2,
        dst_colorspace=encoding.matrix,
        dst_color_range=colors.range or 1,
        threads=1,  # with more, libswscale's parts write over the first pixels of one another (10 bits, odd widths)
    )
    coded.colorspace, coded.color_range = colors.matrix, colors.range
    coded.color_primaries, coded.color_trc = colors.primaries, colors.transfer
    coded.pts, coded.time_base = frame.pts, facts.time_base
    return coded


def plan_encoding(
    facts: Facts, matrix: int, format: str, codec: str, crf: int | None, pix_fmt: str | None, wide: int = 1
) -> Encoding:
    """How a video of these facts is coded into the container format. wide: how many times as wide as the source the
    result is (side by side).

    Raises Photo2AnimeError for a crf or pixel format the codec does not have.
    """
    chosen = CODECS[codec]
    if crf is not None and chosen.crf is None:
        raise Photo2AnimeError(f"--crf {crf} is nothing {codec} has; leave it out")
    if crf is not None and not 0 <= crf <= chosen.worst_crf:
        raise Photo2AnimeError(f"--crf {crf} is outside 0 (best) to {chosen.worst_crf} of {codec}")
    keeps_alpha = facts.alpha and format in chosen.alpha_in
    pix_fmt = pix_fmt or (chosen.with_alpha if keeps_alpha else chosen.pix_fmt)
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
    keeps_alpha = keeps_alpha and any(component.is_alpha for component in form.components)
    quality = chosen.crf if crf is None else crf
    return Encoding(chosen, quality, pix_fmt, height, width, matrix, facts, keeps_alpha)


def usual_codec(suffix: str, alpha: bool) -> tuple[str, str]:
    """FFmpeg's name of a result's container, and the codec in it when nobody chose one."""
    format, codec = CONTAINERS[suffix]
    return format, _FOR_ALPHA.get(format, codec) if alpha else codec


def _steady_x264(pix_fmt: str) -> list[str]:
    """Options with which x264 gives the same bytes for the same frames, whatever memory held before and however its
    threads take turns (measured: docs/log.md).
    """
    params = ["asm=AVX2"] if "avx512f" in cpu_features() else []  # its AVX-512 code lets stray memory into the result
    deep = max(component.bits for component in av.VideoFormat(pix_fmt).components) > 8
    return params + ["threads=1"] * deep  # beyond 8 bits its macroblock tree depends on how the threads take turns


class _reporting_ffmpeg_errors:  # noqa: N801  reads as a statement
    """Turns FFmpeg's errors into Photo2AnimeError."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FFmpegError) and not isinstance(error, MemoryError):
            raise Photo2AnimeError(
                f"the encoder refused ({error.strerror}); try another --codec or --max-side"
            ) from error
