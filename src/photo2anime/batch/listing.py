"""SOURCE as a stream of inputs, and what each result is called. Nothing here holds more than one folder's names."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from photo2anime.batch.records import Job, table_of
from photo2anime.batch.store import Store, absolute, is_local
from photo2anime.images.image_io import BECOME_JPEG, FORMATS, READABLE
from photo2anime.options import VIDEO_SUFFIXES
from photo2anime.types import Photo2AnimeError

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import Dataset

Kind = Literal["folder", "csv", "parquet"]
LISTS = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
COLUMNS = ("address", "path", "url", "uri", "file", "image", "key")  # of a list, the first that it has
JOBS_A_BLOCK = 8  # what one call of a worker paints, and what its death can cost
_LITTER = {"thumbs.db", "desktop.ini", "icon\r"}
_LISTED_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Source:
    """Where inputs come from. address: as given, absolute. aside: a folder below it that holds results, or None.
    column: of a list, None for the first of COLUMNS.
    """

    address: str
    aside: str | None = None
    column: str | None = None

    @property
    def kind(self) -> Kind:
        """By the name alone."""
        suffix = PurePosixPath(urlsplit(self.address).path).suffix.lower()
        return LISTS.get(suffix, "folder")  # type: ignore[return-value]

    @property
    def is_list(self) -> bool:
        return self.kind in ("csv", "parquet")

    @property
    def readers(self) -> int:
        """Cores that Ray Data wants for reading it, besides those of the workers; it waits forever without."""
        return 1 if self.is_list else 0


def source_of(source: str, dest: str, column: str | None) -> Source:
    """SOURCE, with DEST set aside where it lies below. Raises Photo2AnimeError when they are the same folder."""
    source, dest = absolute(source), absolute(dest)
    if source.lower().endswith(".tar"):
        raise Photo2AnimeError(f"{source} is one shard; give the folder of shards")
    if not Store(source).exists():
        raise Photo2AnimeError(f"{source}: there is nothing; check the name")
    inside = f"{source.rstrip('/')}/"
    if dest.rstrip("/") == source.rstrip("/"):
        raise Photo2AnimeError("DEST is SOURCE; give another folder for the results")
    return Source(source, dest[len(inside) :].strip("/") if dest.startswith(inside) else None, column)


def photos(source: Source) -> Iterator[Job]:
    """Every photo of a folder, and every folder in it that cannot be listed."""
    return _files(source, READABLE, problems=True)


def shards(source: Source) -> Iterator[Job]:
    """Every tar file of a folder, or SOURCE itself."""
    return _files(source, {".tar"})


def videos(source: Source) -> Iterator[Job]:
    """Every video of a folder."""
    return _files(source, VIDEO_SUFFIXES)


def _files(source: Source, suffixes: Set[str], *, problems: bool = False) -> Iterator[Job]:
    """problems: what cannot be listed, too."""
    store = Store(source.address)
    for entry in store.walk():
        place = PurePosixPath(entry.below)
        if source.aside is not None and place.is_relative_to(source.aside):
            continue
        if entry.problem and problems:
            yield Job(store.name(entry.below), entry.below, problem=entry.problem)
        elif not entry.problem and place.suffix.lower() in suffixes and place.name.lower() not in _LITTER:
            yield Job(store.name(entry.below), entry.below, entry.size, entry.modified)


def jobs(source: Source, limit: int | None) -> Dataset:
    """The photos of SOURCE as a Ray dataset of Job in small blocks, made as they are asked for."""
    import ray

    if source.is_list:
        column = source.column or _column(source)
        found = _rows(source).map_batches(
            partial(_from_list, column=column), batch_format="pyarrow", batch_size=_LISTED_AT_ONCE, num_cpus=0
        )
    else:
        found = ray.data.from_items([0], override_num_blocks=1).map_batches(
            partial(_listed, source=source, limit=limit), batch_format="pyarrow", batch_size=None, num_cpus=0
        )
    return found if limit is None else found.limit(limit)


@dataclass(frozen=True, slots=True)
class Count:
    """What SOURCE holds. size: bytes of the photos, 0 for a list, which does not say. A folder that cannot be listed
    counts as a photo, since it is a row like one.
    """

    photos: int = 0
    size: int = 0
    videos: int = 0
    shards: int = 0

    @property
    def results(self) -> int:
        """Of a batch in one style."""
        return self.photos + self.videos


def count(source: Source, limit: int | None) -> Count:
    """What there is to paint, without reading any of it."""
    if source.is_list:
        import pyarrow.dataset as ds

        store = Store(source.address)
        rows = ds.dataset(store.root, filesystem=store.files, format=source.kind).count_rows()
        return Count(rows if limit is None else min(rows, limit))
    found = size = films = packs = 0
    for job in _files(source, {".tar", *READABLE, *VIDEO_SUFFIXES}, problems=True):
        suffix = "" if job.problem else PurePosixPath(job.below).suffix.lower()
        if suffix in VIDEO_SUFFIXES:
            films += 1
        elif suffix == ".tar":
            packs += 1
        elif limit is None or found < limit:
            found, size = found + 1, size + max(0, job.size)
    return Count(found, size, films, packs) if limit is None else Count(found, size)


def _listed(_: pa.Table, source: Source, limit: int | None) -> Iterator[pa.Table]:
    """Runs in a task: the listing, a table at a time."""
    for some in _in_parts(islice(photos(source), limit)):
        yield table_of(Job, some)


def _in_parts(found: Iterator[Job]) -> Iterator[list[Job]]:
    while some := list(islice(found, JOBS_A_BLOCK)):
        yield some


def _rows(source: Source) -> Dataset:
    """A list as Ray reads it."""
    import ray
    from pyarrow import ArrowInvalid

    store = Store(source.address)
    read = ray.data.read_csv if source.kind == "csv" else ray.data.read_parquet
    options: dict[str, Any] = {} if is_local(source.address) else {"filesystem": store.files}
    try:
        return read(store.root, num_cpus=0, **options)
    except (ArrowInvalid, OSError, ValueError) as error:
        raise Photo2AnimeError(f"{source.address} cannot be read as a list ({str(error).splitlines()[0]})") from error


def _column(source: Source) -> str:
    """The column that holds addresses. Raises Photo2AnimeError when none is called so."""
    names = _rows(source).schema().names
    for name in chain(COLUMNS, names if len(names) == 1 else ()):
        if name in names:
            return str(name)
    raise Photo2AnimeError(f"{source.address} has the columns {', '.join(names)}; say with --column which one it is")


def _from_list(rows: pa.Table, column: str) -> pa.Table:
    """Addresses of a list as jobs. What no address can be is a job too, so that it is told of."""
    if column not in rows.column_names:
        raise Photo2AnimeError(f"there is no column {column}; there are {', '.join(rows.column_names)}")
    addresses = [str(value or "") for value in rows[column].to_pylist()]
    return table_of(Job, (Job(address, below_of(address)) for address in addresses))


def below_of(address: str) -> str:
    """Where below DEST the result of a listed address lies: s3://bucket/a/b.jpg -> bucket/a/b.jpg; never above it."""
    parts = urlsplit(address)
    path = address if is_local(address) and not parts.scheme else f"{parts.netloc}/{unquote(parts.path)}"
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def suffix_of(name: str, suffix: str | None) -> str:
    """The extension of a result, with its dot: suffix, else the photo's own, else that of the nearest format."""
    own = PurePosixPath(name).suffix
    if own.lower() in FORMATS and (suffix is None or own.lower() == suffix):
        return own
    return suffix or (".jpg" if own.lower() in BECOME_JPEG else ".png")


def target_of(job: Job, style: str, suffix: str | None, name_as: str) -> str:
    """What a result is called below DEST, from its input's name alone, so that every machine says the same.

    A photo that keeps its format keeps its name; one that becomes another format has its own in its name (a.heic is
    a-heic-hayao.jpg), or it might meet the result of an a.jpg.
    """
    place = PurePosixPath(job.below)
    own, ext = place.suffix, suffix_of(job.below, suffix)
    stem = place.stem if own.lower() in ("", ext.lower()) else f"{place.stem}-{own[1:].lower()}"
    return str(place.parent / name_as.format(stem=stem, style=style, ext=ext))
