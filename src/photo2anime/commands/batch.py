"""The command line of `photo2anime batch`: what it takes, and how it tells of what it does."""

from __future__ import annotations

import argparse
import json
import math
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from photo2anime.commands.arguments import (
    add_look_arguments,
    add_style_argument,
    add_write_arguments,
    examples,
    number,
    record_of,
)
from photo2anime.extras import need
from photo2anime.options import BatchOptions, LoadOptions, PaintOptions

if TYPE_CHECKING:
    from photo2anime.batch.records import Row, Summary
    from photo2anime.batch.run import Progress

_TOLD = 20  # failures that are told one by one; the manifest has them all


def add_batch_command(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds `batch`. Nothing heavy is imported before it runs."""
    p = commands.add_parser(
        "batch",
        help="paint any number of photos, on this machine or on a cluster",
        description="Paints all that SOURCE holds into DEST. The same command again does only what is missing.",
        **examples(
            "batch photos/ painted/ -s hayao",
            "batch s3://bucket/photos s3://bucket/painted -s hayao,shinkai",
            "batch list.parquet painted/ --column url --limit 1000",
            "batch photos/ painted/ --dry-run",
            "batch s3://bucket/photos s3://bucket/painted --address auto",
        ),
    )
    p.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder or s3://, gs://, az://: photos, videos, .tar shards; or a .csv or .parquet list",
    )
    p.add_argument("dest", metavar="DEST", help="a folder or an address, for the results and their manifest")
    add_style_argument(p)
    add_look_arguments(p)
    p.add_argument("--side-by-side", action="store_true", help="photo and result in one picture")
    add_write_arguments(p)
    p.add_argument(
        "--column", metavar="NAME", help="of a list: where the addresses are (default: address, path, url ..)"
    )
    p.add_argument("--limit", type=_count, metavar="N", help="only the first N inputs")
    p.add_argument("--address", metavar="ADDRESS", help="of a Ray cluster (default: Ray on this machine alone)")
    p.add_argument("--workers", type=_count, metavar="N", help="how many paint at a time (default: one a core or GPU)")
    p.add_argument("--report", metavar="FILE", help="write how it went, with samples, as .html or .md")
    p.add_argument("-n", "--dry-run", action="store_true", help="only count, and estimate core-hours and cost")
    p.add_argument(
        "--core-hour",
        type=_dollars,
        default=0.04,
        metavar="DOLLARS",
        help="what a core costs an hour, for the estimate (default %(default)s)",
    )
    p.add_argument("--json", action="store_true", help="one JSON object for each result on standard output")
    p.add_argument("--quiet", action="store_true", help="tell only what fails")
    p.set_defaults(run=_batch)


def _batch(args: Namespace) -> int:
    need("batch", "cluster", "ray", "pyarrow")
    from photo2anime.images.image_io import FORMATS, WriteOptions

    suffix = f".{args.format}" if args.format else None
    options = record_of(
        BatchOptions,
        args,
        styles=tuple(args.style.split(",")),
        paint=record_of(PaintOptions, args),
        load=record_of(LoadOptions, args),
        write=record_of(WriteOptions, args, format=FORMATS[suffix] if suffix else None),
        suffix=suffix,
    )
    if args.dry_run:
        return _dry_run(options, args)
    from photo2anime.batch.run import paint_batch

    teller = _Teller(as_json=args.json, quiet=args.quiet)
    summary = paint_batch(options, on_row=teller.on_row)
    teller.close(summary)
    if args.report:
        from photo2anime.batch.report import write_report

        write_report(options, summary, args.report)
    return 1 if summary.failed else 0


def _dry_run(options: BatchOptions, args: Namespace) -> int:
    from photo2anime.batch.estimate import estimate

    found = estimate(options)
    dollars = found.core_hours * args.core_hour
    if args.json:
        facts: dict[str, float] = {
            "photos": found.photos,
            "bytes": found.size,
            "videos": found.videos,
            "results": found.results,
        }
        facts |= {"there": found.there, "core_hours": round(found.core_hours, 3), "dollars": round(dollars, 2)}
        print(json.dumps(facts))
        return 0
    size = f", {found.size / 1e9:.2f} GB" if found.size else ""
    print(f"{found.photos} photos{size}; {found.videos} videos; {found.results} results, {found.there} there already")
    print(
        f"about {found.core_hours:.2f} core-hours ({found.seconds:.2f} s a result, {found.measured}), "
        f"{dollars:.2f} dollars at {args.core_hour:g} a core-hour; videos are not in it"
    )
    return 0


class _Teller:
    """Tells of results as they come: a line that changes on a terminal, objects with --json, failures always."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json, self.quiet = as_json, quiet
        self.failures = 0
        self.bar: Any = None

    def on_row(self, progress: Progress) -> None:
        """As paint_batch calls it."""
        row = progress.row
        if row.status == "failed":
            self.failures += 1
            if self.failures <= _TOLD:
                self._say(f"{row.address}: {row.reason}")
        if self.as_json:
            print(json.dumps(_facts(row)), flush=True)
        if not self.quiet and sys.stderr.isatty():
            self._show(progress)

    def _show(self, progress: Progress) -> None:
        from tqdm import tqdm

        self.bar = self.bar or tqdm(unit="result", smoothing=0.05)
        self.bar.total = progress.results
        if progress.summary.failed:
            self.bar.set_postfix(failed=progress.summary.failed, refresh=False)
        self.bar.update(progress.summary.done - self.bar.n)

    def _say(self, line: str) -> None:
        if self.bar is not None:
            self.bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self, summary: Summary) -> None:
        """The last lines."""
        if self.bar is not None:
            self.bar.close()
        if self.failures > _TOLD:
            print(f"{self.failures - _TOLD} more failed; their reasons are in the manifest", file=sys.stderr)
        if self.quiet or self.as_json:
            return
        counts = {"painted": summary.painted, "there already": summary.there, "failed": summary.failed}
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing to paint"
        rate = summary.painted / max(summary.seconds - summary.startup, 1e-9)
        print(f"{told}; {summary.seconds:.1f} s, {rate:.2f} a second after {summary.startup:.1f} s", file=sys.stderr)


def _facts(row: Row) -> dict[str, Any]:
    """A result as --json tells of it, in the words of `paint`."""
    if row.status == "failed":
        return {"source": row.address, "style": row.style, "error": row.reason}
    facts = {"source": row.address, "target": row.target, "style": row.style}
    if row.status == "there":
        return facts | {"skipped": True}
    return facts | {"width": row.width, "height": row.height, "seconds": round(row.seconds, 3), "worker": row.worker}


def _count(text: str) -> int:
    return int(number(text, "is not a number of at least 1", 1, 1 << 62))


def _dollars(text: str) -> float:
    return number(text, "is not a price", 0, math.inf)
