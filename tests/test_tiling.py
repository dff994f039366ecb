"""Windows over a picture."""

import numpy as np
import pytest

from photo2anime.inference.tiling import plan, smallest_side, tile_side
from photo2anime.types import Photo2AnimeError, StyleCard

EXACT = StyleCard(name="exact", file="", multiple_of=8, halo=20, tiling="exact", bytes_per_px=100)
FIXED = StyleCard(name="fixed", file="", multiple_of=1, halo=16, fixed_size=(64, 96))


@pytest.mark.parametrize("card", [EXACT, FIXED], ids=["exact", "fixed"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (63, 300), (64, 96), (65, 97), (129, 500), (777, 333)])
def test_kept_parts_partition_the_picture_and_keep_the_halo(card: StyleCard, height: int, width: int) -> None:
    covered = np.zeros((height, width), int)
    for tile in plan(height, width, card, tile_px=112):
        covered[slice(*tile.keep_rows), slice(*tile.keep_cols)] += 1
        sides = ((tile.rows, tile.keep_rows, height, 0), (tile.cols, tile.keep_cols, width, 1))
        for seen, kept, length, axis in sides:
            assert seen[0] == 0 or kept[0] - seen[0] >= card.halo
            assert seen[1] == length or seen[1] - kept[1] >= card.halo
            assert seen[0] % card.multiple_of == 0
            limit = card.fixed_size[axis] if card.fixed_size else 112
            assert 0 < seen[1] - seen[0] <= limit
    assert (covered == 1).all()


def test_the_smallest_side_has_room_to_keep_something() -> None:
    assert smallest_side(EXACT) == 112
    assert len(plan(500, 500, EXACT, tile_px=112)) == 64


def test_the_side_follows_memory() -> None:
    assert tile_side(1080, 1920, EXACT, free_bytes=8 << 30) >= 1920
    little = tile_side(6000, 8000, EXACT, free_bytes=200 << 20)
    much = tile_side(6000, 8000, EXACT, free_bytes=8 << 30)
    assert 112 <= little < much < 6000
    assert little**2 * EXACT.bytes_per_px <= 200 << 20


def test_whole_picture_styles_run_whole_while_memory_allows() -> None:
    whole = StyleCard(name="whole", file="", tiling="approximate", bytes_per_px=1000)
    assert tile_side(2000, 2000, whole, free_bytes=16 << 30) >= 2000
    assert tile_side(2000, 2000, whole, free_bytes=1 << 30) < 2000
    never = StyleCard(name="never", file="", tiling="never", bytes_per_px=1000)
    with pytest.raises(Photo2AnimeError, match="--max-side"):
        tile_side(2000, 2000, never, free_bytes=1 << 30)
