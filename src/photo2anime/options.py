"""The options of painting, as records that command, page, API and Python share; fields are named as the flags are."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from photo2anime.types import FaceChoice, LineWeight, Look, Precision

if TYPE_CHECKING:
    from photo2anime.images.image_io import WriteOptions
    from photo2anime.painting.stylizer import Stylizer

VIDEO_SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"))
VIDEO_SUFFIXES |= {".wmv", ".flv", ".3gp", ".ogv"}  # what is a video by its name; animated pictures are pictures
_SEGMENT_FRAMES = 240  # what stopping a run can cost


@dataclass(frozen=True, slots=True)
class PaintOptions:
    """How one picture, or each frame of a video, is painted. style: a name, or the path of an .onnx file. max_side:
    larger photos are shrunk to this longer side in pixels first; None is no limit. The rest is as in Look, under the
    same names.
    """

    style: str = "hayao"
    strength: float = 1.0
    keep_color: bool = False
    faces: FaceChoice = "auto"
    lines: LineWeight = "medium"
    side_by_side: bool = False
    max_side: int | None = None
    face_strength: float = 1.0
    drawn_px: int | None = None

    @property
    def look(self) -> Look:
        """What of this is asked of a Stylizer. Raises Photo2AnimeError when it is outside what is accepted."""
        return Look(**{field.name: getattr(self, field.name) for field in fields(Look)})


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How the network of a style is loaded; as in Stylizer.load."""

    device: str = "auto"
    tile_px: int | None = None
    precision: Precision = "auto"
    free: bool = False

    def for_video(self) -> LoadOptions:
        """The same, with the fast network where "auto" would take an 8-bit one."""
        from photo2anime.inference.runtime import prefers_int8

        fast = self.precision == "auto" and prefers_int8(self.device)
        return replace(self, precision="fast") if fast else self

    def stylizer(self, style: str) -> Stylizer:
        """The style, loaded so. Raises Photo2AnimeError when it cannot be had."""
        from photo2anime.painting.stylizer import Stylizer

        return Stylizer.load(style, device=self.device, tile_px=self.tile_px, precision=self.precision, free=self.free)


@dataclass(frozen=True, slots=True)
class PhotosOptions:
    """Which photos are painted in which styles, and where the results go.

    photos: files, folders, or - for standard input. out: a file, a folder, - for standard output, or None for beside
    the photos. styles: as PaintOptions.style, or "all"; they stand in place of it. suffix: of the results, with its
    dot; None keeps the photos' own. name_as: the results' names, with {stem}, {style} and {ext}. compare: one sheet of
    the photo in all styles. json: one object for each result. dry_run: only tell what would be painted. quiet: tell
    only what fails; verbose: tell also what paints. jobs: so many photos at a time, each in a process of its own with
    its share of the processors.
    """

    photos: tuple[str, ...]
    styles: tuple[str, ...]
    paint: PaintOptions
    load: LoadOptions
    write: WriteOptions
    out: str | None = None
    suffix: str | None = None
    compare: bool = False
    recursive: bool = False
    skip_existing: bool = False
    max_megapixels: float = 300
    name_as: str = "{stem}-{style}{ext}"
    json: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False
    jobs: int = 1


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """One video to paint. source: a video or an animated picture. out: a file, a folder, or None for beside the source.

    steady: against flicker, 0 to 1. codec, crf, pix_fmt, quality: of the result; None takes what suits its format.
    start, end: seconds of the source. resume: go on where a run with the same options was stopped. preview: one still
    for each second instead. segment_frames: so many are decodable by themselves; what stopping a run can cost.
    """

    source: str
    out: str | None = None
    paint: PaintOptions = PaintOptions()
    load: LoadOptions = LoadOptions()
    steady: float = 0.85
    codec: str | None = None
    crf: int | None = None
    pix_fmt: str | None = None
    quality: int | None = None
    start: float = 0.0
    end: float | None = None
    no_audio: bool = False
    overwrite: bool = False
    resume: bool = False
    preview: bool = False
    json: bool = False
    segment_frames: int = _SEGMENT_FRAMES


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """A camera to paint. source: its number, or a video file. frames: stop after so many. save_stills: a folder that
    painted frames are written to, in place of a window.
    """

    source: str = "0"
    paint: PaintOptions = PaintOptions()
    load: LoadOptions = LoadOptions()
    steady: float = 0.85
    frames: int | None = None
    save_stills: str | None = None


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Many inputs, painted by many processes. source: a folder or an address of one (s3://..), a .csv or .parquet list
    of addresses, or .tar shards. dest: a folder or an address of one. styles: as in PhotosOptions.

    suffix, max_megapixels, name_as: as in PhotosOptions. column: of a list, that holds the addresses. limit: only so
    many inputs. address: of a Ray cluster; None starts Ray on this machine, "auto" takes the one that runs here.
    workers: how many paint at a time; None is one for each core, or for each GPU. threads: cores of this machine to
    use; None is all.
    """

    source: str
    dest: str
    styles: tuple[str, ...] = ("hayao",)
    paint: PaintOptions = PaintOptions()
    load: LoadOptions = LoadOptions()
    write: WriteOptions | None = None
    suffix: str | None = None
    max_megapixels: float = 300
    name_as: str = "{stem}-{style}{ext}"
    column: str | None = None
    limit: int | None = None
    address: str | None = None
    workers: int | None = None
    threads: int | None = None
