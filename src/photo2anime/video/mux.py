"""Writes the finished file: painted packets, with the source's sound, subtitles, chapters and tags."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from av.error import FFmpegError

from photo2anime.types import Photo2AnimeError
from photo2anime.video.animation import AnimationSource
from photo2anime.video.encoder import Coded, Encoding
from photo2anime.video.media import open_input, open_output, readable_packets
from photo2anime.video.source import VideoSource
from photo2anime.video.transcode import Recoded, recode_audio, recode_subtitles

_OF_THE_CONTAINER = {"major_brand", "minor_version", "compatible_brands", "encoder"}
_SOUND = {"mp4": "aac", "mov": "aac", "matroska": "libopus", "webm": "libopus"}
_WORDS = {"mp4": "mov_text", "mov": "mov_text", "matroska": "ass", "webm": "webvtt"}
_LARGEST_TIMESCALE = 10_000_000
Notes = Callable[[str], None]


class Muxer:
    """Writes one container. audio: whether sound and subtitles are kept. say: called with what does not fit."""

    def __init__(
        self, source: VideoSource | AnimationSource, encoding: Encoding, format: str, *, audio: bool, say: Notes
    ) -> None:
        self.source, self.encoding, self.format, self.audio, self.say = source, encoding, format, audio, say

    def check(self) -> None:
        """Writes the file's head into memory, to find what the container refuses before anything is painted."""
        with self._reopened() as container:
            self._begin(io.BytesIO(), container, faststart=False)[0].close()
        self.say = lambda note: None  # each was said now; writing says nothing twice

    def write(self, file: Path, packets: Iterable[Coded]) -> None:
        """The whole file. packets in coding order, timestamps in units of the source's time base.

        Damaged packets of sound and subtitles that the container refuses are left out and counted.
        """
        try:
            with self._reopened() as container:
                out, video, others = self._begin(file, container, faststart=True)
                with out:
                    self._fill(out, _Waiting(packets, video, self.encoding.facts.time_base), container, others)
        except (MemoryError, OSError):
            raise
        except FFmpegError as error:
            raise Photo2AnimeError(f"{self.format} cannot hold this ({error.strerror}); try -o NAME.mkv") from error

    def _fill(self, out: Any, painted: _Waiting, container: Any, others: dict[int, Any]) -> None:
        for packet, when in self._others(container, others):
            for ready in painted.until(when):
                out.mux(ready)
            for one in others[packet.stream.index](packet):
                self._mux_other(out, one)
        for ready in painted.until(None):
            out.mux(ready)
        for recoded in {id(c): c for c in others.values() if isinstance(c, Recoded)}.values():
            for one in recoded.rest():
                self._mux_other(out, one)

    def _mux_other(self, out: Any, packet: Any) -> None:
        try:
            out.mux(packet)
        except (MemoryError, OSError):
            raise
        except FFmpegError:
            self.source.losses.broken_packets += 1

    def _reopened(self) -> AbstractContextManager[Any]:
        """The source as a container of streams; None inside for an animated picture, which is no container."""
        if self.source.stream_index is None:
            return nullcontext()
        reopened: AbstractContextManager[Any] = open_input(self.source.file)
        return reopened

    def _begin(self, target: Path | IO[bytes], container: Any, faststart: bool) -> tuple[Any, Any, dict[int, Any]]:
        flags = ["faststart"] if faststart else []
        if container and any(key.startswith("com.") for key in container.metadata):
            flags.append("use_metadata_tags")  # the only way MP4 keeps names it does not know
        options = {"fflags": "+bitexact"} | ({"movflags": "+".join(["", *flags])} if flags else {})
        if self.format in ("mp4", "mov"):
            options["movie_timescale"] = str(self._timescale(container))
        out = open_output(target, self.format, options)
        try:
            video = self._add_video(out, container)
            others = self._add_others(out, container) if container and self.audio else {}
            if container:
                self._copy_tags(out, container)
            out.start_encoding()
        except MemoryError:
            raise
        except (FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Photo2AnimeError(
                f"{self.format} cannot be written like this ({reason}): {self.encoding.codec.encoder}, "
                f"{self.encoding.width}x{self.encoding.height}, {self.encoding.pix_fmt}; "
                "try -o NAME.mkv or another --codec"
            ) from error
        return out, video, others

    def _timescale(self, container: Any) -> int:
        """A unit in which every track can say exactly when it begins; MP4's usual one is a millisecond."""
        own = self.encoding.facts.time_base.denominator
        streams = container.streams if container else ()
        together = math.lcm(own, *(s.time_base.denominator for s in streams if s.time_base))
        return together if together <= _LARGEST_TIMESCALE else min(own, _LARGEST_TIMESCALE)

    def _add_video(self, out: Any, container: Any) -> Any:
        stream = out.add_stream(self.encoding.codec.encoder, rate=self.encoding.facts.fps)
        self.encoding.configure(stream.codec_context, global_header=False)  # av sets that flag as the format needs it
        if self.encoding.facts.display_matrix:
            stream.set_display_matrix(self.encoding.facts.display_matrix)
        if container:
            _copy_stream_tags(container.streams[self.source.stream_index], stream)
        self._set_tags(stream.metadata)
        return stream

    def _set_tags(self, tags: dict[str, str]) -> None:
        """Copies the picture's tags, corrected for the result. The muxer itself writes that there is transparency."""
        for name in [name for name in tags if name.lower() == "alpha_mode"]:
            del tags[name]
        if self.source.start and "timecode" in tags:
            del tags["timecode"]
            self.say("the timecode is left out, because it counts from the beginning of the whole video")

    def _add_others(self, out: Any, container: Any) -> dict[int, Any]:
        """For each kept stream of the source by its index: what turns its packets into those of the result."""
        others: dict[int, Any] = {}
        for stream in container.streams:
            if stream.index == self.source.stream_index:
                continue
            name = f"{stream.type} stream {stream.index}"
            if stream.type == "attachment" and self.format == "matroska":
                out.add_stream_from_template(stream)
                continue
            if stream.type == "data" and container.chapters() and self.format in ("mp4", "mov"):
                continue  # the track MP4 keeps chapter titles in; it is written anew
            if stream.type == "data" and "timecode" in stream.metadata:
                continue  # a tag of the picture says the same, and the muxer makes a track of it
            if stream.type not in ("audio", "subtitle") or stream.codec_context is None:
                self.say(f"{name} is left out: {self.format} results hold one picture, sound and subtitles")
                continue
            try:
                copy = out.add_stream_from_template(stream)
            except ValueError:
                copy = None
            if copy is not None:
                others[stream.index] = _copier(copy)
            elif recoded := self._recode(out, stream):
                copy, others[stream.index] = recoded.stream, recoded
                self.say(f"{name} is coded again as {copy.codec_context.name}: {self.format} cannot hold it as it is")
            else:
                self.say(f"{name} is left out: {self.format} cannot hold {stream.codec_context.name}; -o NAME.mkv can")
                continue
            _copy_stream_tags(stream, copy)
        return others

    def _recode(self, out: Any, stream: Any) -> Recoded | None:
        if stream.type == "audio":
            return recode_audio(out, stream, _SOUND[self.format])
        return recode_subtitles(out, stream, _WORDS[self.format])

    def _copy_tags(self, out: Any, container: Any) -> None:
        out.metadata.update({k: v for k, v in container.metadata.items() if k not in _OF_THE_CONTAINER})
        chapters = []
        for chapter in container.chapters():
            unit = chapter["time_base"]
            begin, end = chapter["start"] * unit - self.source.start, chapter["end"] * unit - self.source.start
            if self.source.end is not None:
                end = min(end, self.source.end - self.source.start)
            if end > max(begin, 0):
                moved = {"start": round(max(begin, 0) / unit), "end": round(end / unit)}
                chapters.append({**chapter, **moved})
        if chapters:
            out.set_chapters(chapters)

    def _others(self, container: Any, others: dict[int, Any]) -> Iterator[tuple[Any, Fraction]]:
        """Packets of the other streams in file order, moved to the cut, and when they play in seconds. Where the file
        is broken they end: the reader of the picture counts that.
        """
        if not others:
            return
        start, end = self.source.start, self.source.end
        for packet in readable_packets(container, [container.streams[index] for index in others]):
            when = packet.dts if packet.pts is None else packet.pts
            if packet.size == 0 or when is None:
                continue
            seconds = when * packet.time_base
            if (start and seconds < start) or (end is not None and seconds >= end):
                continue
            moved = round(start / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - moved
            packet.dts = None if packet.dts is None else packet.dts - moved
            yield packet, seconds - start


class _Waiting:
    """Painted packets that are handed out as the other streams reach their time."""

    def __init__(self, packets: Iterable[Coded], stream: Any, time_base: Fraction) -> None:
        self.packets, self.stream, self.time_base = iter(packets), stream, time_base
        self.next = next(self.packets, None)
        self.last_shown: Coded | None = None

    def until(self, seconds: Fraction | None) -> Iterator[Any]:
        """Those that are decoded before so many seconds; None for all that are left."""
        while self.next is not None and (seconds is None or self.next.dts * self.time_base <= seconds):
            coded, self.next = self.next, next(self.packets, None)
            if self.last_shown is None or coded.pts > self.last_shown.pts:
                self.last_shown = coded
            packet = coded.packet()
            if self.next is None:  # MP4 counts from dts to dts, and its last packet has to make up the whole length
                packet.duration = self.last_shown.duration
            packet.time_base, packet.stream = self.time_base, self.stream
            yield packet


def _copier(stream: Any) -> Callable[[Any], list[Any]]:
    def copy(packet: Any) -> list[Any]:
        packet.stream = stream
        return [packet]

    return copy


def _copy_stream_tags(source: Any, copy: Any) -> None:
    copy.metadata.update(source.metadata)
    copy.disposition = source.disposition
