"""Transcodes sound and subtitles that the new container cannot hold as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av
from av.error import FFmpegError

_TEXT_SUBTITLES = {"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"}


class Recoded:
    """A transcoder of one stream: packets in, packets of `stream` out."""

    def __init__(self, stream: Any, convert: Callable[[Any], list[Any]], rest: Callable[[], list[Any]]) -> None:
        self.stream, self._convert, self.rest = stream, convert, rest

    def __call__(self, packet: Any) -> list[Any]:
        """What one packet becomes; nothing when it cannot be decoded."""
        try:
            return self._convert(packet)
        except MemoryError:
            raise
        except FFmpegError:
            return []


def recode_audio(out: Any, source: Any, codec: str) -> Recoded:
    """Sound coded again, same rate and channels where the codec has them."""
    rates = av.Codec(codec, "w").audio_rates
    rate = source.rate if not rates or source.rate in rates else 48000
    stream = out.add_stream(codec, rate=rate, layout=source.layout.name)
    stream.bit_rate = 96_000 * max(1, source.channels)
    resampler: Any = None

    def convert(packet: Any) -> list[Any]:
        nonlocal resampler
        packets: list[Any] = []
        for frame in packet.decode():
            if resampler is None:
                context = stream.codec_context
                resampler = av.AudioResampler(
                    context.format.name, context.layout.name, rate, context.frame_size or None
                )
            packets += [p for part in resampler.resample(frame) for p in stream.encode(part)]
        return packets

    def rest() -> list[Any]:
        last: list[Any] = [p for part in (resampler.resample(None) if resampler else []) for p in stream.encode(part)]
        last += stream.encode(None)
        return last

    return Recoded(stream, convert, rest)


def recode_subtitles(out: Any, source: Any, codec: str) -> Recoded | None:
    """Text subtitles in the container's own kind; None for pictures of text, which cannot become text."""
    decoder = source.codec_context
    if decoder.name not in _TEXT_SUBTITLES:
        return None
    decoder.open()  # only then does it know the header
    stream = out.add_stream(codec)
    stream.codec_context.subtitle_header = decoder.subtitle_header
    stream.codec_context.time_base = source.time_base

    def convert(packet: Any) -> list[Any]:
        pts, duration = packet.pts, packet.duration
        texts = decoder.decode2(packet)
        if texts is None:
            return []
        coded = stream.codec_context.encode_subtitle(texts)
        coded.pts = coded.dts = pts
        coded.duration, coded.time_base, coded.stream = duration, source.time_base, stream
        return [coded]

    return Recoded(stream, convert, list)
