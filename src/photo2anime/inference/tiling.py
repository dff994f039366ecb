"""Plans tiles over a picture: which pixels the network sees, and which part of its output is kept."""

from __future__ import annotations

import math
from itertools import pairwise

from photo2anime.inference.pixels import next_multiple
from photo2anime.types import Photo2AnimeError, StyleCard, Tile

_EXACT_WORK_BYTES = 512 << 20  # larger windows are no faster and only cost memory (docs/benchmarks.md)
_SHARE_OF_FREE_MEMORY = 0.6


def plan(height: int, width: int, card: StyleCard, tile_px: int) -> list[Tile]:
    """Tiles whose kept parts partition the picture, row by row from the top left.

    Windows are at most tile_px on a side, or card.fixed_size; they start at multiples of card.multiple_of and reach
    card.halo past what is kept, or to the picture's border. tile_px is at least smallest_side(card).
    """
    tall, wide = card.fixed_size or (tile_px, tile_px)
    rows = _spans(height, tall, card)
    cols = _spans(width, wide, card)
    return [Tile(row, col, keep_row, keep_col) for row, keep_row in rows for col, keep_col in cols]


def tile_side(height: int, width: int, card: StyleCard, free_bytes: int) -> int:
    """The window side in pixels that suits a picture and the memory that is free; at least the picture's longer side
    when it can run whole. Raises Photo2AnimeError when the style may not be tiled and the picture does not fit.
    """
    budget = int(free_bytes * _SHARE_OF_FREE_MEMORY)
    if card.tiling == "exact":
        budget = min(budget, _EXACT_WORK_BYTES)
    if height * width * card.bytes_per_px <= budget:
        return next_multiple(max(height, width), card.multiple_of)
    if card.tiling == "never":
        needed = height * width * card.bytes_per_px / 2**30
        raise Photo2AnimeError(
            f"{card.name} paints only whole pictures, and {width}x{height} needs {needed:.1f} GiB of memory; "
            "give a smaller --max-side"
        )
    side = math.isqrt(budget // card.bytes_per_px) // card.multiple_of * card.multiple_of
    return max(side, smallest_side(card))


def smallest_side(card: StyleCard) -> int:
    """The smallest window side in pixels that is not mostly halo."""
    return 2 * next_multiple(card.halo, card.multiple_of) + 8 * card.multiple_of


def _spans(length: int, window: int, card: StyleCard) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """(seen, kept) along one axis, each (start, stop)."""
    if length <= window:
        return [((0, length), (0, length))]
    m = card.multiple_of
    halo = next_multiple(card.halo, m)
    step = (window - 2 * halo) // m * m
    assert step > 0, "Stylizer refuses such tiles"
    if card.fixed_size:  # every window has the same length; the last one is moved back to end at the border
        starts = [*range(0, length - window, step), length - window]
        seen = [(start, start + window) for start in starts]
        cuts = [0, *((a[1] + b[0]) // 2 for a, b in pairwise(seen)), length]
        return list(zip(seen, pairwise(cuts), strict=True))
    kept = [(start, min(start + step, length)) for start in range(0, length, step)]
    return [((max(0, start - halo), min(length, stop + halo)), (start, stop)) for start, stop in kept]
