"""Which photos a command was given, what in their folders is left alone, and what each result is called."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path

from photo2anime.images.image_io import BECOME_JPEG, FORMATS, READABLE, lacking_for
from photo2anime.types import Photo2AnimeError

STANDARD = "-"  # input and output by that name are the standard streams
_LITTER = {"thumbs.db", "desktop.ini", "icon\r"}  # what systems leave in folders
_NAMED = 20  # files of one kind that are named before the rest is only counted


@dataclass(frozen=True, slots=True)
class PhotoToPaint:
    """One photo to paint. below: where it lay under the folder that was given with -r, kept under -o. stem: what its
    result is called before the style's name; empty is the photo's own.
    """

    source: str
    below: Path = Path()
    stem: str = ""


@dataclass(slots=True)
class Sources:
    """What was found. notes: a line for each kind of thing that is left alone. failures: a line for each folder that
    could not be opened.
    """

    jobs: list[PhotoToPaint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def find_sources(
    photos: Iterable[str], *, recursive: bool, out: str | None, suffix: str | None, style_names: Sequence[str]
) -> Sources:
    """Every photo once, in the order given, folders sorted; two that would share a result have different stems.

    out: a folder under which results of this run lie. suffix: of all results, if one was chosen. style_names: by which
    results of earlier runs are known, wherever in the folder they lie.
    """
    found = Sources()
    for source in photos:
        if os.path.isdir(source):
            _look_into(Path(source), recursive, Path(out) if out else None, style_names, found)
        else:
            found.jobs.append(PhotoToPaint(source))
    found.jobs = _with_own_names(list(dict.fromkeys(found.jobs)), out, suffix)
    return found


def names_a_file(out: str) -> bool:
    """Whether -o is the name of a picture, not a folder. Raises Photo2AnimeError for files that cannot be written."""
    suffix = Path(out).suffix.lower()
    if out.endswith(("/", "\\")) or os.path.isdir(out):
        return False
    if suffix in FORMATS:
        return True
    if suffix[1:2].isalpha():  # not a folder called 2024.05
        raise Photo2AnimeError(
            f"-o {out}: cannot write {suffix}; use {', '.join(FORMATS)}; a folder of that name ends with /"
        )
    return False


def _look_into(folder: Path, recursive: bool, out: Path | None, style_names: Sequence[str], found: Sources) -> None:
    """Adds the photos in folder, with recursive those below it too, to found, and says what else is there."""
    aside = os.path.realpath(out) if out is not None and os.path.realpath(out) != os.path.realpath(folder) else None
    files: list[Path] = []
    left: dict[str, list[str]] = {}

    def tell(error: OSError) -> None:
        found.failures.append(f"{error.filename}: cannot be opened ({error.strerror}); change its permissions")

    for place, folders, names in os.walk(folder, onerror=tell):
        below = Path(place).relative_to(folder)
        for name in [name for name in folders if os.path.islink(os.path.join(place, name))]:
            if not name.startswith("."):
                left.setdefault("linked folders, which are not followed; give them by name", []).append(
                    str(below / name)
                )
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(place, name)) != aside
        ]
        if folders and not recursive:
            left["folders; -r looks into them"] = list(folders)
            folders.clear()
        for name in (name for name in names if not (name.startswith(".") or name.lower() in _LITTER)):
            if kind := _not_a_photo(Path(place, name)):
                left.setdefault(kind, []).append(str(below / name))
            else:
                files.append(below / name)
    photos = _without_results(sorted(files), style_names)
    if results := sorted(set(files) - set(photos)):
        left["results of earlier runs"] = [str(file) for file in results]
    found.notes += [f"{folder}: left alone: {len(names)} {kind}: {_some(names)}" for kind, names in left.items()]
    if not photos:
        found.notes.append(f"{folder}: no photos in this folder")
    found.jobs += [PhotoToPaint(str(folder / file), file.parent) for file in photos]


def _not_a_photo(file: Path) -> str | None:
    """What file is instead of a photo, as the words of a note."""
    if file.suffix.lower() not in READABLE:
        return "other files"
    if line := lacking_for(file.suffix):
        return f"files ({line})"
    try:
        regular = stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return "links that lead nowhere" if file.is_symlink() else "files that cannot be reached"
    return None if regular else "pipes or devices"


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(sorted(names)[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _without_results(files: list[Path], style_names: Sequence[str]) -> list[Path]:
    """Files without those that an earlier run painted from one of them: beside it, or below any folder given with -o.

    out/deep/a-hayao.jpg is the result of deep/a.png, and out/deep/a-png-hayao.jpg is, too.
    """
    folders_of: dict[str, set[tuple[str, ...]]] = {}
    for file in files:
        for stem in (file.stem, _longer_stem(file)):
            folders_of.setdefault(stem, set()).add(file.parent.parts)

    def is_result(file: Path) -> bool:
        place = file.parent.parts
        bases = [file.stem.removesuffix(f"-{name}") for name in style_names if file.stem.endswith(f"-{name}")]
        return any(
            place[len(place) - len(folder) :] == folder for base in bases for folder in folders_of.get(base, set())
        )

    return [file for file in files if not is_result(file)]


def _with_own_names(jobs: list[PhotoToPaint], out: str | None, suffix: str | None) -> list[PhotoToPaint]:
    """Photos of which no two share a result: a second a.jpg is called a-2, an a.png beside it a-png if that helps."""
    named: list[PhotoToPaint] = []
    taken: dict[tuple[str, str, str], str] = {}  # results, and the extension of the photo that has them
    for job in jobs:
        source = Path(job.source)
        folder = str(source.parent if out is None else job.below)
        own = source.suffix.lower()
        result = suffix or (own if own in FORMATS else ".jpg" if own in BECOME_JPEG else ".png")
        first = taken.get((folder, source.stem.lower(), result), own)
        others = [_longer_stem(source)] if first != own else []
        stems = chain([source.stem, *others], (f"{source.stem}-{number}" for number in count(2)))
        stem = next(stem for stem in stems if (folder, stem.lower(), result) not in taken)
        taken[folder, stem.lower(), result] = own
        named.append(job if stem == source.stem else replace(job, stem=stem))
    return named


def _longer_stem(file: Path) -> str:
    """IMG.JPG -> IMG-jpg."""
    return f"{file.stem}-{file.suffix[1:].lower()}"
