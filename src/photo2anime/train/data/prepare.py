"""`photo2anime prepare`: pictures and films -> crops, their edge-smoothed twins, a manifest and a contact sheet."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from photo2anime.images.image_io import write_image
from photo2anime.types import RGB, Photo2AnimeError, Picture

if TYPE_CHECKING:
    from photo2anime.train.data.films import SourceFile
    from photo2anime.train.data.filters import SeenPictures

_SHEET_CELLS, _SHEET_PX = 10, 128


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """How crops are made. size: their side in pixels. every_seconds: within a scene of a film, a frame this often.
    crops: at most so many of a picture. find_subtitles: cut them off where they are found.
    """

    size: int = 256
    every_seconds: float = 2.0
    crops: int = 4
    find_subtitles: bool = True


@dataclass(frozen=True, slots=True)
class Summary:
    """What OUT holds now, over all runs. dropped, cut_off: how many pictures, by reason. unreadable: why."""

    pictures: int
    kept: int
    crops: int
    dropped: dict[str, int]
    cut_off: dict[str, int]
    unreadable: dict[str, str]
    out: Path

    @property
    def text(self) -> str:
        """The summary in a few lines."""
        lines = [f"{self.pictures} pictures looked at, {self.kept} kept: {self.crops} crops in {self.out / 'color'}"]
        if self.dropped:
            lines.append("dropped: " + ", ".join(f"{count} {why}" for why, count in sorted(self.dropped.items())))
        if self.cut_off:
            lines.append("cut off: " + ", ".join(f"{count} {what}" for what, count in sorted(self.cut_off.items())))
        lines += [f"not read: {name}: {why}" for name, why in self.unreadable.items()]
        return "\n".join([*lines, f"look at {self.out / 'contact-sheet.jpg'}"])


class Manifest:
    """OUT/manifest.jsonl: first the configuration, then a line for each picture looked at and each file finished.

    Lines of pictures: source, seconds (null for picture files), crops (their names in color/ and smooth/), dropped
    (why, or null), cut_off (list), print (fingerprint). Lines of files: source, finished, error (or null). A line is
    written after the crops it names, so a run that was killed goes on without a loss.
    """

    def __init__(self, file: Path, cfg: PrepareConfig) -> None:
        self.file = file
        self.pictures: list[dict[str, Any]] = []
        self.finished: dict[str, str | None] = {}
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            self._append({"config": asdict(cfg)})
            return
        whole = file.read_bytes().rpartition(b"\n")[0] + b"\n"  # a run killed while writing leaves half a line
        os.truncate(file, len(whole))
        try:
            config, *rows = [json.loads(line) for line in whole.splitlines()]
            begun_with = PrepareConfig(**config["config"])
        except (ValueError, KeyError, TypeError) as error:
            raise Photo2AnimeError(f"{file} is no manifest of prepare ({error}); give another --out") from error
        if begun_with != cfg:
            raise Photo2AnimeError(f"{file.parent} was begun with {begun_with}; give the same, or another --out")
        for row in rows:
            self._take(row)

    def add(self, row: dict[str, Any]) -> None:
        """Writes a line, at once."""
        self._append(row)
        self._take(row)

    def done(self) -> set[tuple[str, float | None]]:
        """Source and seconds of every picture that was looked at."""
        return {(row["source"], row["seconds"]) for row in self.pictures}

    def _take(self, row: dict[str, Any]) -> None:
        if "finished" in row:
            self.finished[row["source"]] = row["error"]
        else:
            self.pictures.append(row)

    def _append(self, row: dict[str, Any]) -> None:
        with open(self.file, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def prepare(
    sources: list[Path], out: Path, cfg: PrepareConfig, *, report: Callable[[str], None] = lambda line: None
) -> Summary:
    """Fills out/color and out/smooth with square PNG crops of the sources' pictures; returns what was kept and why.

    Looks at every picture and every sampled frame of a film once: bars and subtitles are cut off; small, dark, flat and
    blurred pictures and near duplicates of kept ones are dropped. Can be stopped and called again with the same
    arguments, or with more sources. A file that cannot be read is reported and skipped. Raises Photo2AnimeError for
    sources that are not there and for settings other than the folder was begun with.
    """
    missing = [name for name, module in (("av", "av"), ("opencv-python-headless", "cv2")) if find_spec(module) is None]
    if missing:
        raise Photo2AnimeError(f"prepare needs {', '.join(missing)}: pip install 'photo2anime[train]'")
    if cfg.size < 32 or cfg.every_seconds <= 0 or cfg.crops < 1:
        raise Photo2AnimeError("--size has to be at least 32, --every above 0 and --crops at least 1")
    from photo2anime.train.data.films import find_source_files
    from photo2anime.train.data.filters import SeenPictures

    files = find_source_files(sources)
    manifest = Manifest(out / "manifest.jsonl", cfg)
    seen = SeenPictures()
    for row in manifest.pictures:
        if row["crops"]:
            seen.add(row["print"])
    for index, one in enumerate(files, start=1):
        if one.name in manifest.finished:
            continue
        error = _go_through(one, out, cfg, manifest, seen)
        manifest.add({"source": one.name, "finished": True, "error": error})
        if error or one.is_film or index % 100 == 0:
            report(f"{index} of {len(files)}: {one.name}: {error or 'done'}")
    _write_contact_sheet(out)
    return _summary(manifest, out)


def _go_through(one: SourceFile, out: Path, cfg: PrepareConfig, manifest: Manifest, seen: SeenPictures) -> str | None:
    """Every picture of a file that no earlier run has looked at; returns what is wrong with the file, or None."""
    from photo2anime.train.data.films import pictures_of

    done = manifest.done()
    try:
        for seconds, rgb in pictures_of(one, cfg.every_seconds):
            if (one.name, seconds) not in done:
                manifest.add({"source": one.name, "seconds": seconds, **_take(one, seconds, rgb, out, cfg, seen)})
    except Photo2AnimeError as error:
        return str(error)
    return None


def _take(
    one: SourceFile, seconds: float | None, rgb: RGB, out: Path, cfg: PrepareConfig, seen: SeenPictures
) -> dict[str, Any]:
    """Writes the crops of a picture, if it is worth it; returns its line of the manifest."""
    from photo2anime.train.data import filters

    cut_off = []
    inside = filters.without_bars(rgb)
    if inside.shape != rgb.shape:
        cut_off.append("black bars")
    if cfg.find_subtitles and len(above := filters.without_subtitles(inside)) != len(inside):
        inside, cut_off = above, [*cut_off, "subtitles"]
    found = filters.fingerprint(inside) if inside.size else ""
    crops: list[RGB] = []
    if min(inside.shape[:2]) < cfg.size:
        why: str | None = "too small"
    elif (why := filters.why_not(inside)) is None:
        why = "near duplicates" if seen.has_near(found) else None
    if why is None:
        crops = filters.crops_of(inside, cfg.size, cfg.crops)
        why = None if crops else "flat"
    names = []
    for number, crop in enumerate(crops):
        names.append(f"{_stem(one, seconds)}-{number}.png")
        write_image(out / "smooth" / names[-1], Picture(filters.edge_smoothed(crop)))
        write_image(out / "color" / names[-1], Picture(crop))
    if names:
        seen.add(found)
    return {"crops": names, "dropped": why, "cut_off": cut_off, "print": found}


def _stem(one: SourceFile, seconds: float | None) -> str:
    """A file name for the crops of a picture, different for every file of every source."""
    told_apart = hashlib.sha256(one.name.encode()).hexdigest()[:6]
    time = "" if seconds is None else f"-{round(seconds * 1000):08d}"
    return f"{one.file.stem[:60]}-{told_apart}{time}"


def _summary(manifest: Manifest, out: Path) -> Summary:
    rows = manifest.pictures
    return Summary(
        pictures=len(rows),
        kept=sum(bool(row["crops"]) for row in rows),
        crops=sum(len(row["crops"]) for row in rows),
        dropped=dict(Counter(row["dropped"] for row in rows if row["dropped"])),
        cut_off=dict(Counter(what for row in rows for what in row["cut_off"])),
        unreadable={name: error for name, error in manifest.finished.items() if error},
        out=out,
    )


def _write_contact_sheet(out: Path) -> None:
    """A hundred crops, spread evenly over all, as out/contact-sheet.jpg; nothing when there are none."""
    files = sorted((out / "color").glob("*.png"))
    if not files:
        return
    places = np.unique(np.linspace(0, len(files) - 1, min(len(files), _SHEET_CELLS**2)).astype(int))
    columns = min(len(places), _SHEET_CELLS)
    sheet = Image.new("RGB", (columns * _SHEET_PX, -(-len(places) // columns) * _SHEET_PX))
    for cell, place in enumerate(places):
        with Image.open(files[place]) as crop:
            sheet.paste(crop.resize((_SHEET_PX, _SHEET_PX)), (cell % columns * _SHEET_PX, cell // columns * _SHEET_PX))
    write_image(out / "contact-sheet.jpg", Picture(np.asarray(sheet)))
