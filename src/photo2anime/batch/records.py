"""What a batch passes around: inputs, styles that were looked up, the manifest's rows, the summary; and Arrow tables of
them, because that is what Ray Data carries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_type_hints

from photo2anime.types import Precision

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import DataclassInstance

    Record = TypeVar("Record", bound=DataclassInstance)

Status = Literal["painted", "there", "failed", "packed"]


@dataclass(frozen=True, slots=True)
class Job:
    """One input. address: where it is, for people and for lists. below: its path under SOURCE and DEST, / between.
    size: bytes as the listing says, -1 where it does not. modified: nanoseconds since 1970, 0 where it is not known.
    problem: why it can be told of only, as of a folder that cannot be listed.
    """

    address: str
    below: str
    size: int = -1
    modified: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BatchStyle:
    """A style as all workers have to load it. asked: a name or a path. precision: decided once, so that machines with
    other processors give the same pixels. recipe: all else that decides a result, as text.
    """

    asked: str
    name: str
    precision: Precision
    model_sha256: str
    recipe: str

    def key(self, job: Job) -> int:
        """64 bits that change when the input, the network or an option does."""
        facts = "\0".join((job.address, str(job.size), str(job.modified), self.name, self.model_sha256, self.recipe))
        return int.from_bytes(hashlib.blake2b(facts.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class Row:
    """One input in one style, as the manifest has it; what is "there" already is only counted, not written;
    "packed" is a tar shard that is complete.

    key: BatchStyle.key. size, sha256: of the bytes that were read. target: below DEST. seconds: of painting, without
    reading and writing. worker: host and process. time: seconds since 1970 when it was done.
    """

    address: str
    style: str
    status: Status
    key: int
    target: str = ""
    size: int = -1
    sha256: str = ""
    model_sha256: str = ""
    reason: str = ""
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    worker: str = ""
    time: float = 0.0


@dataclass(slots=True)
class Summary:
    """How a batch went. seconds: the whole run; startup: of it, until the first result came. packed: shards."""

    painted: int = 0
    there: int = 0
    failed: int = 0
    packed: int = 0
    seconds: float = 0.0
    startup: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return self.painted + self.there + self.failed

    def count(self, row: Row) -> None:
        """Adds one row."""
        setattr(self, row.status, getattr(self, row.status) + 1)


def schema_of(kind: type[DataclassInstance]) -> pa.Schema:
    """The Arrow columns of a record."""
    import pyarrow as pa

    hints = get_type_hints(kind)
    types = {int: pa.int64(), float: pa.float64(), str: pa.string(), bytes: pa.binary(), Status: pa.string()}
    columns = {name: types[hints[name]] for name in (one.name for one in fields(kind))}
    return pa.schema(columns | ({"key": pa.uint64()} if "key" in columns else {}))


def table_of(kind: type[DataclassInstance], records: Iterable[Any]) -> pa.Table:
    """Records of one kind as a table."""
    import pyarrow as pa

    return pa.Table.from_pylist([asdict(record) for record in records], schema=schema_of(kind))


def records_of(kind: type[Record], table: pa.Table) -> list[Record]:
    """A table's rows as records; columns that the record lacks are left out."""
    return [kind(**row) for row in table.select([one.name for one in fields(kind)]).to_pylist()]
