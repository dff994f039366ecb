"""`photo2anime batch`: every photo once, whatever dies meanwhile. Ray runs small here: two workers, 100 MB."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ray")

from conftest import EXAMPLES, photo_of
from photo2anime.batch.cluster import prepare_environment
from photo2anime.batch.manifest import read_manifest
from photo2anime.batch.records import Row
from photo2anime.batch.run import Progress, paint_batch
from photo2anime.batch.worker import Starts
from photo2anime.options import BatchOptions, LoadOptions, PaintOptions
from photo2anime.styles import find_style
from photo2anime.types import RGB, Photo2AnimeError

PAINT = PaintOptions(faces="off")


@pytest.fixture(scope="module")
def two_cores() -> Iterator[None]:
    """Ray on this machine, shared by the tests of this file that break nothing."""
    prepare_environment(alone=True)
    import ray

    ray.init(
        "local",
        num_cpus=3,
        include_dashboard=False,
        object_store_memory=100 << 20,
        log_to_driver=False,
    )
    yield
    ray.shutdown()


def photos_in(folder: Path, count: int, side: int = 48) -> Path:
    """A folder of so many small photos, every third in a folder below it."""
    for number in range(count):
        place = folder / "deep" if number % 3 == 2 else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo_of(side, side, number)).save(place / f"{number:04}.png")
    return folder


def options_of(source: Path | str, dest: Path | str, *styles: str, limit: int | None = None) -> BatchOptions:
    return BatchOptions(str(source), str(dest), styles or ("cel",), PAINT, limit=limit)


def results_in(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.suffix in (".png", ".jpg"))


def assert_true(dest: Path, count: int) -> list[Row]:
    """The manifest's rows, after checking them against what lies in dest: count results, each painted and whole."""
    rows = read_manifest(str(dest))
    painted = [row for row in rows if row.status == "painted"]
    assert sorted(row.target for row in painted) == results_in(dest) and len(painted) == count
    for row in painted:
        with Image.open(dest / row.target) as image:
            image.load()
            assert image.size == (row.width, row.height)
    assert not list(dest.rglob(".photo2anime-*"))
    return rows


def test_a_folder(tmp_path: Path, two_cores: None) -> None:
    source, dest = photos_in(tmp_path / "in", 11), tmp_path / "out"
    (source / "notes.txt").write_text("no photo")
    (source / "bad.jpg").write_bytes(b"\xff\xd8 no picture at all")
    summary = paint_batch(options_of(source, dest, "cel", "hayao"))
    assert (summary.painted, summary.there, summary.failed) == (22, 0, 2)
    rows = assert_true(dest, 22)
    assert (dest / "deep" / "0002-hayao.png").exists()
    (bad,) = {row.reason for row in rows if row.status == "failed"}
    assert "damaged" in bad or "not a picture" in bad
    assert {row.model_sha256 for row in rows if row.style == "cel"} <= {
        find_style("cel").sha256,
        find_style("cel").int8_sha256,
    }

    again: list[Progress] = []
    summary = paint_batch(options_of(source, dest, "cel", "hayao"), on_row=again.append)
    assert (summary.painted, summary.there, summary.failed) == (0, 22, 2)
    assert again[-1].results in (24, None)

    (dest / "0001-cel.png").unlink()
    Image.fromarray(photo_of(32, 40, 99)).save(source / "0003.png")
    summary = paint_batch(options_of(source, dest, "cel"))
    assert (summary.painted, summary.there, summary.failed) == (2, 9, 1)
    assert_true(dest, 22)


def test_results_are_those_of_paint(tmp_path: Path, two_cores: None) -> None:
    from photo2anime.cli import main

    source, dest = photos_in(tmp_path / "in", 2), tmp_path / "out"
    paint_batch(options_of(source, dest, "cel"))
    assert main(["paint", str(source), "-s", "cel", "--faces", "off", "-o", f"{tmp_path}/one/", "--threads", "1"]) == 0
    for name in results_in(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (dest / name).read_bytes()


def test_another_network_paints_again(tmp_path: Path, two_cores: None) -> None:
    source, dest = photos_in(tmp_path / "in", 3), tmp_path / "out"
    for precision, checksum in (("float32", find_style("cel").sha256), ("int8", find_style("cel").int8_sha256)):
        options = replace(options_of(source, dest), load=LoadOptions(precision=precision))  # type: ignore[arg-type]
        assert paint_batch(options).painted == 3
        assert paint_batch(options).there == 3
        assert {row.model_sha256 for row in assert_true(dest, 3)} == {checksum}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_list(tmp_path: Path, two_cores: None, ending: str) -> None:
    import pyarrow as pa
    from pyarrow import csv, parquet

    source, dest = photos_in(tmp_path / "in", 4), tmp_path / "out"
    addresses = [str(file) for file in sorted(source.rglob("*.png"))] + [f"{tmp_path}/none.png"]
    table = pa.table({"number": range(5), "path": addresses})
    given = tmp_path / f"list.{ending}"
    (csv.write_csv if ending == "csv" else parquet.write_table)(table, given)
    summary = paint_batch(options_of(given, dest))
    assert (summary.painted, summary.failed) == (4, 1)
    rows = assert_true(dest, 4)
    assert [row.reason for row in rows if row.status == "failed"] == ["no such file"]
    assert paint_batch(options_of(given, dest)).there == 4


def test_what_is_wrong_with_all_of_it(tmp_path: Path, two_cores: None) -> None:
    source = photos_in(tmp_path / "in", 1)
    for wrong, word in (
        (options_of(source, source), "DEST is SOURCE"),
        (options_of(source, tmp_path / "out", "nostyle"), "no style called"),
        (options_of(source, "xyz://a/b"), "no address"),
        (options_of(tmp_path / "none", tmp_path / "out"), "none"),
    ):
        with pytest.raises(Photo2AnimeError, match=word):
            paint_batch(wrong)


def test_limit_dry_run_and_report(tmp_path: Path, two_cores: None) -> None:
    from photo2anime.batch.estimate import estimate
    from photo2anime.batch.report import write_report

    source, dest = photos_in(tmp_path / "in", 20), tmp_path / "out"
    guess = estimate(options_of(source, dest))
    assert (guess.photos, guess.results, guess.there) == (20, 20, 0) and guess.size > 0 and guess.seconds > 0
    assert not dest.exists()
    summary = paint_batch(options_of(source, dest, limit=5))
    assert summary.painted == 5
    for name in ("how.html", "how.md"):
        write_report(options_of(source, dest), summary, str(tmp_path / name))
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "5 painted" in text and ("how-samples.jpg" in text or "data:image/jpeg;base64," in text)
    with Image.open(tmp_path / "how-samples.jpg") as sheet:
        assert sheet.size == (1280, 960)  # five pairs, two beside one another
    assert estimate(options_of(source, dest)).there == 5


@pytest.mark.parametrize("faces", ["off", "auto"])
def test_a_film_is_that_of_video(tmp_path: Path, two_cores: None, monkeypatch: pytest.MonkeyPatch, faces: str) -> None:
    pytest.importorskip("av")
    from clips import make_clip, moving
    from photo2anime.batch import films
    from photo2anime.cli import main

    monkeypatch.setattr(films, "PART_FRAMES", 16)
    source, dest = tmp_path / "in", tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    clip = make_clip(source / "deep" / "clip.mp4", moving(40), sound=1)
    (source / "bad.mp4").write_bytes(b"no film")
    options = BatchOptions(str(source), str(dest), ("cel",), PaintOptions(faces=faces))  # type: ignore[arg-type]
    summary = paint_batch(options)
    assert (summary.painted, summary.failed) == (1, 1)
    alone = tmp_path / "alone.mp4"
    assert main(["video", str(clip), "-s", "cel", "--faces", faces, "-o", str(alone), "--threads", "1"]) == 0
    assert (dest / "deep" / "clip-cel.mp4").read_bytes() == alone.read_bytes()
    assert not list((dest / films.WAITING).glob("*")) and paint_batch(options).there == 1


@pytest.mark.slow
def test_a_face_is_handed_from_part_to_part_of_a_film(
    tmp_path: Path, two_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is followed across both borders; the film is that of `video`, to the byte."""
    pytest.importorskip("av")
    from clips import make_clip
    from photo2anime.batch import films
    from photo2anime.cli import main
    from photo2anime.video.face_tracking import FramePainter

    with Image.open(EXAMPLES / "astronaut.jpg") as photo:
        small = np.asarray(photo.convert("RGB").resize((204, 204), Image.Resampling.LANCZOS))
    pan = [np.ascontiguousarray(small[:144, left : left + 144]) for left in range(3, 57, 3) for _ in range(2)]
    monkeypatch.setattr(films, "PART_FRAMES", 16)
    source, dest = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    clip = make_clip(source / "pan.mp4", pan)
    assert paint_batch(BatchOptions(str(source), str(dest), ("cel",), PaintOptions())).painted == 1
    alone, seen = tmp_path / "alone.mp4", list[list[float]]()
    follow = FramePainter.follow

    def noted(self: FramePainter, frame: RGB) -> None:
        follow(self, frame)
        seen.append([track.weight for track in self.tracks])

    monkeypatch.setattr(FramePainter, "follow", noted)
    assert main(["video", str(clip), "-s", "cel", "-o", str(alone), "--threads", "1"]) == 0
    assert len(seen) == 36 and all(seen[border - 1] == seen[border] == [1.0] for border in (16, 32))
    assert (dest / "pan-cel.mp4").read_bytes() == alone.read_bytes()


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, two_cores: None) -> None:
    source, dest = photos_in(tmp_path / "in", 4), tmp_path / "out"
    place = os.open(source, os.O_RDONLY)
    for _ in range(22):  # so deep that its path is too long for the system, whoever asks
        os.mkdir("d" * 200, dir_fd=place)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    for painted, there in ((4, 0), (0, 4)):
        told: list[Progress] = []
        summary = paint_batch(options_of(source, dest), on_row=told.append)
        assert (summary.painted, summary.there, summary.failed) == (painted, there, 1)
        assert told[-1].results in (5, None)
    (row,) = [row for row in assert_true(dest, 4) if row.status == "failed"]
    assert "cannot be listed (File name too long)" in row.reason and row.address.startswith(f"{source}/ddd")


def test_a_part_that_ends_its_worker_is_not_laid_to_the_whole() -> None:
    """A shard (1) with a photo (2) that ends its worker three times, another (3) that does it once, and no more."""
    starts = Starts()
    for deaths in range(3):
        assert (starts.begin(1), starts.begin(2, 1)) == (0, deaths)
    assert (starts.begin(1), starts.begin(2, 1), starts.begin(3, 1)) == (0, 3, 0)
    assert (starts.begin(1), starts.begin(2, 1), starts.begin(3, 1)) == (0, 3, 1)
    starts.end(3)
    assert (starts.begin(1), starts.begin(2, 1)) == (1, 3)  # it ended its worker once itself
    starts.end(1)
    assert starts.inside == {} and starts.begun == {1: 1}


def test_shards(tmp_path: Path, two_cores: None) -> None:
    source, dest = tmp_path / "in", tmp_path / "out"
    photos = photos_in(tmp_path / "photos", 5)
    source.mkdir()
    with tarfile.open(source / "000.tar", "w") as pack:
        for number, file in enumerate(sorted(photos.rglob("*.png"))):
            pack.add(file, f"{number:03}.png")
            pack.add(file.parent, f"{number:03}.d", recursive=False)
            caption = tarfile.TarInfo(f"{number:03}.txt")
            caption.size = 5
            pack.addfile(caption, io.BytesIO(b"coast"))
    whole = (source / "000.tar").read_bytes()
    (source / "cut.tar").write_bytes(whole[: len(whole) // 2])
    summary = paint_batch(options_of(source, dest))
    assert summary.packed == 1 and summary.painted == 5 and summary.failed == 1
    with tarfile.open(dest / "000-cel.tar") as pack:
        assert pack.getnames() == [f"{number:03}.{kind}" for number in range(5) for kind in ("png", "txt")]
        painted = pack.extractfile("002.png")
        assert painted is not None
        content = painted.read()
    paint_batch(options_of(photos, tmp_path / "files"))
    file = sorted(photos.rglob("*.png"))[2].relative_to(photos).with_suffix("")
    assert (tmp_path / "files" / f"{file}-cel.png").read_bytes() == content
    assert not (dest / "cut-cel.tar").exists()
    again = paint_batch(options_of(source, dest))
    assert (again.painted, again.there, again.failed) == (0, 1, 1)
