"""A page about a batch: what was painted, what failed and why, how fast, and a sheet of samples."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from photo2anime.batch.listing import source_of
from photo2anime.batch.manifest import read_parts
from photo2anime.batch.records import Job, Row, Summary, records_of
from photo2anime.batch.store import Store
from photo2anime.batch.worker import content_of
from photo2anime.images.image_io import read_image
from photo2anime.images.temporary import write_whole
from photo2anime.options import BatchOptions
from photo2anime.types import Photo2AnimeError, Picture

_SAMPLES, _ACROSS, _SIDE_PX = 12, 2, 320  # pairs on the sheet, pairs beside one another, longer side of a picture
_REASONS = 30  # that are listed


@dataclass(slots=True)
class Told:
    """What a report tells of a manifest. styles: (painted, seconds) by name; failed: address and style of what failed
    last time, and why.
    """

    styles: dict[str, tuple[int, float]] = field(default_factory=dict)
    workers: Counter[str] = field(default_factory=Counter)
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    samples: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Counts one row; rows come in the order they were written."""
        if row.status == "packed":
            return
        if row.status == "failed":
            self.failed[row.address, row.style] = row.reason
            return
        self.failed.pop((row.address, row.style), None)
        painted, seconds = self.styles.get(row.style, (0, 0.0))
        self.styles[row.style] = (painted + 1, seconds + row.seconds)
        self.workers[row.worker] += 1
        if len(self.samples) < _SAMPLES and ".tar/" not in row.target:
            self.samples.append(row)


def write_report(options: BatchOptions, summary: Summary, file: str) -> None:
    """Writes the report to file, .html or .md; of .md the samples lie beside it. Raises Photo2AnimeError when it cannot
    be written there.
    """
    path = Path(file)
    if path.suffix.lower() not in (".html", ".htm", ".md"):
        raise Photo2AnimeError(f"--report {file}: cannot write {path.suffix or 'that'}; use .html or .md")
    told = Told()
    for part in read_parts(Store(options.dest)):
        for row in records_of(Row, part):
            told.add(row)
    sheet = _sheet(options, told.samples)
    lines = _lines(options, summary, told)
    try:
        if path.suffix.lower() == ".md":
            picture = path.with_name(f"{path.stem}-samples.jpg")
            write_whole(picture, sheet)
            text = "\n".join([*lines, f"![photos and their paintings]({picture.name})", ""])
        else:
            text = _page(lines, sheet)
        write_whole(path, text.encode())
    except OSError as error:
        raise Photo2AnimeError(f"--report {file} cannot be written ({error.strerror})") from error


def _lines(options: BatchOptions, summary: Summary, told: Told) -> list[str]:
    """The report as lines of Markdown: headings, lists and paragraphs."""
    rate = summary.painted / max(summary.seconds - summary.startup, 1e-9)
    lines = ["# A batch of paintings", "", f"From {options.source} to {options.dest}.", "", "## This run", ""]
    lines += [f"- {summary.painted} painted, {summary.there} there already, {summary.failed} failed"]
    lines += [f"- {summary.seconds:.0f} s, {rate:.2f} a second after {summary.startup:.0f} s", "", "## All runs", ""]
    for style, (painted, seconds) in sorted(told.styles.items()):
        lines.append(f"- {style}: {painted} painted, {seconds / painted:.2f} s each, {seconds / 3600:.2f} core-hours")
    lines.append(f"- {len(told.workers)} workers, {min(told.workers.values(), default=0)} to "
                 f"{max(told.workers.values(), default=0)} results each")  # fmt: skip
    if told.failed:
        lines += ["", f"## Failed: {len(told.failed)}", ""]
        reasons = Counter(told.failed.values())
        lines += [f"- {count}: {reason}" for reason, count in reasons.most_common(_REASONS)]
    return [*lines, "", "## Samples", ""]


def _page(lines: list[str], sheet: bytes) -> str:
    """Those lines as HTML that needs no other file."""
    body = []
    for line in lines:
        level = len(line) - len(line.lstrip("#"))
        text = html.escape(line.lstrip("#- "))
        if text:
            body.append(f"<h{level}>{text}</h{level}>" if level else f"<p>{text}</p>")
    picture = base64.b64encode(sheet).decode()
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>A batch of paintings</title>'
        "<style>body{font:16px/1.5 system-ui;max-width:80rem;margin:2rem auto}p{margin:.3rem 0}img{width:100%}</style>"
        f'{"".join(body)}<img alt="photos and their paintings" src="data:image/jpeg;base64,{picture}"></html>\n'
    )


def _sheet(options: BatchOptions, rows: list[Row]) -> bytes:
    """Photos, each with its painting to the right, as a JPEG; what has gone meanwhile is left out."""
    source = source_of(options.source, options.dest, options.column)
    store = None if source.is_list else Store(source.address)
    dest = Store(options.dest)
    pairs = []
    for row in rows:
        try:
            job = Job(row.address, row.address.removeprefix(store.name("")) if store else "")
            pairs.append((read_image(content_of(job, store)), read_image(dest.read(row.target))))
        except Photo2AnimeError:
            continue
    high = max(1, -(-len(pairs) // _ACROSS))
    sheet = Image.new("RGB", (2 * _ACROSS * _SIDE_PX, high * _SIDE_PX), "white")
    for number, pair in enumerate(pairs):
        for side, picture in enumerate(pair):
            place = ((2 * (number % _ACROSS) + side) * _SIDE_PX, number // _ACROSS * _SIDE_PX)
            sheet.paste(_small(picture), place)
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=85)
    return file.getvalue()


def _small(picture: Picture) -> Image.Image:
    image = Image.fromarray(picture.rgb)
    image.thumbnail((_SIDE_PX, _SIDE_PX))
    return image
