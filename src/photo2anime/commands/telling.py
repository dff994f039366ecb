"""What `photo2anime paint` prints: a line for each result, a bar on a terminal, a summary at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from photo2anime.options import PhotosOptions


@dataclass(frozen=True, slots=True)
class Line:
    """One line to print. is_result: for standard output; others go to standard error. once: of lines with the same,
    only the first is printed.
    """

    text: str
    is_result: bool = False
    once: str = ""


@dataclass(slots=True)
class Outcome:
    """How many results were made, were there already, and failed. photos: how many that was of."""

    photos: int = 0
    painted: int = 0
    skipped: int = 0
    failed: int = 0

    def add(self, other: Outcome) -> None:
        for count in fields(self):
            setattr(self, count.name, getattr(self, count.name) + getattr(other, count.name))


class Teller:
    """Prints lines as they come, above a bar of so many photos when there are several and a terminal; counts."""

    def __init__(self, options: PhotosOptions, photos: int) -> None:
        self.options, self.total = options, Outcome()
        self.bar: Any = None
        self._said: set[str] = set()
        if photos > 1 and not options.quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=photos, unit="photo")

    @property
    def shows_tiles(self) -> bool:
        """Whether each large photo may have a bar of its own: nothing else moves, and somebody looks."""
        return self.bar is None and not self.options.quiet and sys.stderr.isatty()

    def say(self, line: Line) -> None:
        """Prints the line, if it is wanted and was not said before."""
        if line.once:
            if line.once in self._said:
                return
            self._said.add(line.once)
        stream = sys.stdout if line.is_result else sys.stderr
        if self.bar is not None:
            self.bar.write(line.text, file=stream)
        else:
            print(line.text, file=stream, flush=True)

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Adds them up while they come, and moves the bar."""
        try:
            for outcome in outcomes:
                self.total.add(outcome)
                if self.bar is not None:
                    self.bar.update(outcome.photos)
        finally:
            if self.bar is not None:
                self.bar.close()

    def tell_summary(self, photos: int) -> None:
        """How it went, on standard error, where there was more than one photo."""
        if photos < 2 or self.options.quiet or self.options.json or self.options.dry_run:
            return
        counts = {"painted": self.total.painted, "there already": self.total.skipped, "failed": self.total.failed}
        self.say(Line(", ".join(f"{count} {what}" for what, count in counts.items() if count)))
