"""Films and folders become training crops; what teaches nothing is dropped, counted and said; a stopped run goes on."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from photo2anime import Photo2AnimeError
from photo2anime.cli import main
from photo2anime.train.data import filters
from photo2anime.train.data import prepare as module
from photo2anime.train.data.films import SourceFile, find_source_files, pictures_of
from photo2anime.train.data.prepare import PrepareConfig, Summary, prepare
from photo2anime.types import RGB
from test_video_kinds import assert_scene, combs, hdr, interlaced

SMALL = PrepareConfig(size=48, every_seconds=1.0, crops=2)


def drawing(seed: int, height: int = 96, width: int = 160) -> RGB:
    """Sharp shapes of flat colours, other ones for each seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(90, 200, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y = rng.integers(0, width), rng.integers(0, height)
        color = tuple(int(v) for v in rng.integers(0, 256, 3))
        draw.rectangle((x, y, x + rng.integers(6, 30), y + rng.integers(6, 30)), fill=color, outline="black")
    return np.asarray(image)


def film(file: Path, frames: list[RGB], *, fps: int = 8, aspect: Fraction | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        stream.options = {"crf": "12", "threads": "1"}
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return file


def save(rgb: RGB, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(file)
    return file


def rows(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_a_film_gives_a_frame_a_scene_and_one_a_second_within(tmp_path: Path) -> None:
    frames = [drawing(1)] * 6 + [drawing(2)] * 20 + [drawing(3)] * 6
    taken = list(pictures_of(SourceFile(film(tmp_path / "a.mp4", frames), "a.mp4"), every_seconds=1.0))
    assert [seconds for seconds, _ in taken] == [0.0, 1.0, 2.0, 3.0, 3.5]  # cuts at 0.75 and 3.25, settled 0.25 later
    for (_, picture), scene in zip(taken, (1, 2, 2, 2, 3), strict=True):
        assert np.abs(picture.astype(int) - drawing(scene)).mean() < 12


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    file = film(tmp_path / "wide.mp4", [drawing(1)] * 2, aspect=Fraction(4, 3))
    assert next(pictures_of(SourceFile(file, "wide"), 1.0))[1].shape == (96, 213, 3)


def test_everything_dropped_is_counted_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    good = drawing(1)
    save(good, source / "good.png")
    save(drawing(2), source / "below" / "good.png")  # same name in another folder
    save((good * 0.9).astype(np.uint8)[:, :-2], source / "good2.png")
    save(good // 16, source / "night.png")
    save(np.full((96, 160, 3), 130, np.uint8), source / "wall.png")
    save(cv2.GaussianBlur(drawing(3), (0, 0), 2), source / "soft.png")
    save(drawing(4)[:40], source / "strip.png")
    bars = np.zeros((140, 160, 3), np.uint8)
    bars[22:118] = drawing(5)
    save(bars, source / "wide.png")
    (source / "broken.jpg").write_bytes((source / "good.png").read_bytes()[:200])
    (source / "notes.txt").write_text("not a picture")
    (source / ".hidden.png").write_bytes(b"")
    out = tmp_path / "out"
    command = ["prepare", str(source), "--out", str(out), "--size", "48", "--every", "1", "--crops", "2"]
    assert main(command) == 1  # a file could not be read
    said = capsys.readouterr().out
    assert "8 pictures looked at, 3 kept: 6 crops" in said
    assert "dropped: 1 blurred, 1 dark, 1 flat, 1 near duplicates, 1 too small" in said
    assert "cut off: 1 black bars" in said and "broken.jpg: is damaged" in said
    color, smooth = ({f.name: np.asarray(Image.open(f)) for f in (out / d).iterdir()} for d in ("color", "smooth"))
    assert color.keys() == smooth.keys() and len(color) == 6
    assert all(crop.shape == (48, 48, 3) and not np.array_equal(crop, smooth[name]) for name, crop in color.items())
    assert Image.open(out / "contact-sheet.jpg").size == (6 * 128, 128)
    (source / "broken.jpg").unlink()
    assert sum(len(row.get("crops", [])) for row in rows(out)) == 6  # type: ignore[arg-type]


def test_a_run_that_was_killed_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [drawing(seed) for seed in range(5) for _ in range(8)]
    film(tmp_path / "source" / "a.mkv", frames)
    save(drawing(9), tmp_path / "source" / "b.png")
    whole = prepare([tmp_path / "source"], tmp_path / "whole", SMALL)
    assert whole.pictures >= 6 and not whole.unreadable
    real, calls = module._take, []

    def killed(*args: object) -> object:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(args)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_take", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare([tmp_path / "source"], tmp_path / "parts", SMALL)
    monkeypatch.setattr(module, "_take", real)
    with open(tmp_path / "parts" / "manifest.jsonl", "a") as manifest:
        manifest.write('{"source": "half a li')
    parts = prepare([tmp_path / "source"], tmp_path / "parts", SMALL)
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    assert (parts.kept, parts.crops, parts.dropped) == (whole.kept, whole.crops, whole.dropped)
    for file in (tmp_path / "whole" / "color").iterdir():
        assert file.read_bytes() == (tmp_path / "parts" / "color" / file.name).read_bytes()


def test_a_finished_run_is_not_done_again_and_takes_more_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(drawing(1), tmp_path / "one" / "a.png")
    save(drawing(1), tmp_path / "two" / "again.png")
    save(drawing(2), tmp_path / "two" / "other.png")
    first = prepare([tmp_path / "one"], tmp_path / "out", SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_take", lambda *_: pytest.fail("looked at again"))
        assert prepare([tmp_path / "one"], tmp_path / "out", SMALL) == first
    both = prepare([tmp_path / "one", tmp_path / "two"], tmp_path / "out", SMALL)
    assert (both.pictures, both.kept, both.dropped) == (3, 2, {"near duplicates": 1})


def test_a_damaged_film_gives_what_can_be_read(tmp_path: Path) -> None:
    source = film(tmp_path / "source" / "a.mkv", [drawing(seed) for seed in range(6) for _ in range(8)])
    data = source.read_bytes()
    source.write_bytes(b"no film at all")
    save(drawing(9), tmp_path / "source" / "b.png")
    summary = prepare([tmp_path / "source"], tmp_path / "out", SMALL)
    assert summary.kept == 1 and "damaged" in summary.unreadable["source/a.mkv"]
    source.write_bytes(data[: len(data) // 2])
    assert prepare([tmp_path / "source"], tmp_path / "cut", SMALL).kept >= 2


def test_mistakes_are_explained(tmp_path: Path) -> None:
    save(drawing(1), tmp_path / "one" / "a.png")
    (tmp_path / "empty").mkdir()

    def go(*sources: str, cfg: PrepareConfig = SMALL) -> Summary:
        return prepare([tmp_path / source for source in sources], tmp_path / "out", cfg)

    for sources, said in ((["none"], "no such file"), (["empty"], "no picture and no film")):
        with pytest.raises(Photo2AnimeError, match=said):
            go(*sources)
    save(drawing(1), tmp_path / "other" / "one" / "a.png")
    with pytest.raises(Photo2AnimeError, match="two sources hold one/a.png"):
        go("one", "other/one")
    go("one")
    with pytest.raises(Photo2AnimeError, match="was begun with"):
        go("one", cfg=PrepareConfig(size=64))
    with pytest.raises(Photo2AnimeError, match="at least 32"):
        go("one", cfg=PrepareConfig(size=8))
    (tmp_path / "out" / "manifest.jsonl").write_text("[]\n")
    with pytest.raises(Photo2AnimeError, match="no manifest of prepare"):
        go("one")
    assert find_source_files([tmp_path / "one" / "a.png"])[0].name == "a.png"


@pytest.mark.parametrize("color", ["white", (255, 240, 120)])
def test_subtitles_are_cut_off_and_pictures_without_are_left(color: str) -> None:
    picture = drawing(1, 360, 640)
    assert filters.without_subtitles(picture).shape == picture.shape
    image = Image.fromarray(picture)
    font = ImageFont.load_default(22)
    text = "I never wanted to fly like this."
    ImageDraw.Draw(image).text((320, 335), text, color, font, anchor="ms", stroke_width=2, stroke_fill="black")
    kept = filters.without_subtitles(np.asarray(image))
    assert 280 < len(kept) < 322 and np.array_equal(kept, picture[: len(kept)])


def test_smoothing_touches_edges_alone_and_is_a_gaussian_there() -> None:
    picture = np.full((64, 64, 3), 40, np.uint8)
    picture[:, 32:] = 220
    smooth = filters.edge_smoothed(picture)
    changed = np.flatnonzero((smooth != picture).any((0, 2)))
    assert set(changed) == {30, 31, 32, 33}
    weights = np.exp(-(np.arange(-2, 3) ** 2) / (2 * 1.1**2))  # OpenCV's sigma for a kernel of 5
    assert abs(int(smooth[32, 31, 0]) - (40 + 180 * weights[3:].sum() / weights.sum())) <= 1
    assert np.array_equal(filters.edge_smoothed(np.full_like(picture, 90)), np.full_like(picture, 90))


def test_crops_are_the_richest_squares_and_do_not_overlap() -> None:
    picture = np.full((96, 144, 3), 128, np.uint8)
    picture[:48, :48], picture[48:, 48:96] = drawing(1, 48, 48), drawing(2, 48, 48) // 2 + 64
    crops = filters.crops_of(picture, 48, 4)
    assert len(crops) == 2 and np.array_equal(crops[0], picture[:48, :48])
    assert len(filters.crops_of(drawing(3, 480, 800), 48, 4)) == 4  # shrunk to 144 high first
    assert 4 < len(filters.crops_of(drawing(3, 480, 800), 48, 99)) <= 15


def test_footage_is_decoded_as_video_does_it(tmp_path: Path) -> None:
    woven = list(pictures_of(SourceFile(interlaced(tmp_path / "fields.mp4"), "fields.mp4"), 0.1))
    assert len(woven) > 2 and all(combs(picture) < 0.6 for _, picture in woven)
    for transfer in (16, 18):
        assert_scene(next(pictures_of(SourceFile(hdr(tmp_path / f"{transfer}.mp4", transfer), "hdr"), 1.0))[1])
