"""uint8 to network values and back, padding."""

import numpy as np
import pytest

from photo2anime.inference.pixels import luma, next_multiple, pad_bottom_right, to_batch, to_image


def test_all_256_values_survive_the_round_trip() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, axis=2)
    batch = to_batch(every)
    assert batch.shape == (1, 3, 16, 16) and batch.dtype == np.float32
    assert batch.min() == -1 and abs(batch.max() - 1) < 1e-6
    assert np.array_equal(to_image(batch), every)


def test_values_are_rounded_not_cut_off() -> None:
    level = 1 / 127.5
    batch = np.full((1, 3, 1, 3), -1, np.float32) + np.array([0.4, 0.6, 1.4], np.float32) * level
    assert to_image(batch)[0, :, 0].tolist() == [0, 1, 1]


@pytest.mark.parametrize(("value", "level"), [(7.0, 255), (-3.0, 0), (np.nan, 0), (np.inf, 255), (-np.inf, 0)])
def test_out_of_range_values_are_clipped(value: float, level: int) -> None:
    assert (to_image(np.full((1, 3, 2, 2), value, np.float32)) == level).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 7), (5, 8), (9, 17)])
def test_padding_mirrors_as_far_as_it_can_and_crops_back(height: int, width: int) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    padded = pad_bottom_right(photo, next_multiple(height, 8), next_multiple(width, 8))
    assert padded.shape[0] % 8 == padded.shape[1] % 8 == 0
    assert np.array_equal(padded[:height, :width], photo)
    if padded.shape[0] > height > 1:
        assert np.array_equal(padded[height], padded[height - 2])


def test_luma_weighs_like_bt601() -> None:
    assert luma(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))[0] == pytest.approx(
        [76.2, 149.7, 29.1], abs=0.1
    )
