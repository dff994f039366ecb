"""`photo2anime batch` when workers and drivers are killed, stores fail, and there are several nodes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

pytest.importorskip("ray")

from photo2anime.batch.cluster import prepare_environment
from photo2anime.batch.manifest import FOLDER, read_manifest
from photo2anime.batch.run import Progress, paint_batch
from photo2anime.types import Photo2AnimeError
from test_batch import assert_true, options_of, photos_in, results_in


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Each of these tests has its own Ray, because it breaks it."""
    prepare_environment(alone=True)
    import ray

    ray.shutdown()
    yield
    ray.shutdown()


def workers() -> list[psutil.Process]:
    """Ray's processes that paint, below this one."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # gone, or waiting to be taken note of
            if "MapWorker" in " ".join(one.cmdline()):
                found.append(one)
    return found


@pytest.mark.slow
def test_killed_workers(tmp_path: Path) -> None:
    source, dest = photos_in(tmp_path / "in", 160, side=96), tmp_path / "out"
    killed: list[int] = []

    def kill_one(progress: Progress) -> None:
        if len(killed) < 10 and progress.summary.done > 12 * len(killed) and (alive := workers()):
            victim = random.choice(alive)
            killed.append(victim.pid)
            victim.kill()

    summary = paint_batch(options_of(source, dest), on_row=kill_one)
    assert len(killed) >= 5 and (summary.painted, summary.failed) == (160, 0)
    assert_true(dest, 160)
    assert sum(len(pids) for pids in _rows_by_target(dest).values()) == 160


def _rows_by_target(dest: Path) -> dict[str, list[str]]:
    """All rows of the manifest's files, also those that later ones replace, by their results."""
    import pyarrow.parquet as pq

    found: dict[str, list[str]] = {}
    for part in (dest / FOLDER).glob("*.parquet"):
        for row in pq.read_table(part).to_pylist():
            found.setdefault(row["target"], []).append(row["worker"])
    return found


@pytest.mark.slow
def test_killed_driver_and_again(tmp_path: Path) -> None:
    source, dest = photos_in(tmp_path / "in", 40, side=256), tmp_path / "out"
    command = [sys.executable, "-m", "photo2anime", "batch", str(source), str(dest), "-s", "cel", "--faces", "off"]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    until(lambda: len(results_in(dest)) > 8 or run.poll() is not None)
    run.kill()
    run.wait()
    assert 8 < len(results_in(dest)) < 40
    time.sleep(3)  # Ray's own processes notice that their driver has gone
    summary = paint_batch(options_of(source, dest))
    assert summary.painted + summary.there == 40 and not summary.failed
    assert_true(dest, 40)


def until(true: Callable[[], bool], seconds: float = 240) -> None:
    """Waits for it."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    assert true()


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts code in front of every process of Ray; `deadly(when)` in it is a decorator that ends the process by SIGKILL
    when the arguments fulfil a condition.
    """

    def put(code: str) -> None:
        head = (
            "import functools, os\n"
            "def deadly(when):\n"
            "    def around(real):\n"
            "        @functools.wraps(real)\n"
            "        def meeting(*given):\n"
            "            if when(*given): os.kill(os.getpid(), 9)\n"
            "            return real(*given)\n"
            "        return meeting\n"
            "    return around\n"
        )
        (tmp_path / "sitecustomize.py").write_text(head + code)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))

    return put


@pytest.mark.slow
def test_an_input_that_ends_its_worker(tmp_path: Path, deadly: Callable[[str], None]) -> None:
    source, dest = photos_in(tmp_path / "in", 5), tmp_path / "out"
    deadly(
        "import photo2anime.batch.worker as worker\n"
        "worker.Worker._decoded = deadly(lambda self, content: b'DEADLY' in content)(worker.Worker._decoded)\n"
    )
    with open(source / "0001.png", "ab") as file:
        file.write(b"DEADLY")
    summary = paint_batch(options_of(source, dest))
    assert (summary.painted, summary.failed) == (4, 1)
    (row,) = [row for row in assert_true(dest, 4) if row.status == "failed"]
    assert row.address.endswith("0001.png") and "ended its worker 3 times" in row.reason


@pytest.mark.slow
def test_a_shard_that_ends_its_worker_outside_painting(tmp_path: Path, deadly: Callable[[str], None]) -> None:
    """Named after three times; one whose photo does it in being painted loses that photo alone."""
    photos, source, dest = photos_in(tmp_path / "photos", 3), tmp_path / "in", tmp_path / "out"
    deadly(
        "import photo2anime.batch.worker as worker, photo2anime.batch.shards as shards\n"
        "worker.Worker._decoded = deadly(lambda self, content: b'DEADLY' in content)(worker.Worker._decoded)\n"
        "wrong = deadly(lambda picture, options: (picture.dpi or (0,))[0] > 6000)\n"
        "shards.encode_image = wrong(shards.encode_image)\n"
    )
    source.mkdir()
    for name in ("good", "packing", "painting"):
        with tarfile.open(source / f"{name}.tar", "w") as pack:
            for file in sorted(photos.rglob("*.png")):
                pack.add(file, file.name)
    with Image.open(photos / "0001.png") as image:
        image.save(tmp_path / "x.png", dpi=(7000, 7000))
    (tmp_path / "y.png").write_bytes((photos / "0000.png").read_bytes() + b"DEADLY")
    for shard, extra in (("packing", "x.png"), ("painting", "y.png")):
        with tarfile.open(source / f"{shard}.tar", "a") as pack:
            pack.add(tmp_path / extra, extra)
    summary = paint_batch(options_of(source, dest))
    assert (summary.packed, summary.painted, summary.failed) == (2, 6, 2)
    reasons = {Path(row.address).name: row.reason for row in read_manifest(str(dest)) if row.status == "failed"}
    assert set(reasons) == {"packing.tar", "y.png"}
    assert all("ended its worker 3 times" in reason for reason in reasons.values())
    assert sorted(file.name for file in dest.glob("*.tar")) == ["good-cel.tar", "painting-cel.tar"]


@pytest.mark.slow
def test_a_film_that_ends_its_worker(tmp_path: Path, deadly: Callable[[str], None]) -> None:
    """While it is cut, painted, or put together: named after three times, and the others are painted."""
    pytest.importorskip("av")
    from clips import make_clip, moving

    source, dest = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("cut", "good", "paint", "whole"):
        make_clip(source / f"{name}.mp4", moving(5))
    deadly(
        "import photo2anime.batch.films as films\n"
        "films._cuts = deadly(lambda number, film, *_: film.job.below == 'cut.mp4')(films._cuts)\n"
        "paints = deadly(lambda self, part: self.films[part.number].job.below == 'paint.mp4')\n"
        "films.PartPainter._paint = paints(films.PartPainter._paint)\n"
        "films._whole_film = deadly(lambda film, plan: film.job.below == 'whole.mp4')(films._whole_film)\n"
    )
    summary = paint_batch(options_of(source, dest))
    assert (summary.painted, summary.failed) == (1, 3)
    reasons = {Path(row.address).name: row.reason for row in read_manifest(str(dest)) if row.status == "failed"}
    assert set(reasons) == {"cut.mp4", "paint.mp4", "whole.mp4"}
    assert all("ended its worker 3 times" in reason for reason in reasons.values())
    assert [file.name for file in dest.glob("*.mp4")] == ["good-cel.mp4"]


@pytest.mark.slow
def test_a_photo_that_ends_its_worker_when_it_is_written(tmp_path: Path, deadly: Callable[[str], None]) -> None:
    """Who of a block did it cannot be told, so the block is named; the run ends, and the other blocks are painted."""
    source, dest = photos_in(tmp_path / "in", 20), tmp_path / "out"
    deadly(
        "import photo2anime.batch.worker as worker\n"
        "wrong = deadly(lambda picture, options: picture.rgb.shape[0] == 7)\n"
        "worker.encode_image = wrong(worker.encode_image)\n"
    )
    Image.new("RGB", (9, 7)).save(source / "0000.png")
    summary = paint_batch(options_of(source, dest))
    assert summary.painted + summary.failed == 20 and 1 <= summary.failed <= 8
    rows = [row for row in read_manifest(str(dest)) if row.status == "failed"]
    assert any(row.address.endswith("0000.png") for row in rows)
    assert all("ended its worker 3 times" in row.reason for row in rows)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 server on loopback that refuses one request in twenty, with a bucket called photos."""
    pytest.importorskip("moto")
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    whole = DomainDispatcherApplication(create_backend_app)
    chance = random.Random(1)

    class Failing:
        rate, refused = 0.0, 0

        def __call__(self, environ: Any, respond: Any) -> Any:
            if chance.random() < self.rate:
                self.refused += 1
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                respond("503 Slow Down", [("Content-Type", "application/xml")])
                return [b"<Error><Code>SlowDown</Code><Message>slow down</Message></Error>"]
            return whole(environ, respond)

    failing = Failing()
    server = make_server("127.0.0.1", 0, failing, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")  # moto takes any
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    from pyarrow.fs import FileSystem

    files, _ = FileSystem.from_uri("s3://photos?allow_bucket_creation=true")
    files.create_dir("photos")
    yield failing
    server.shutdown()


@pytest.mark.slow
def test_a_store_that_fails_one_request_in_twenty(tmp_path: Path, store: Any) -> None:
    from photo2anime.batch.store import Store

    source = photos_in(tmp_path / "in", 30)
    bucket = Store("s3://photos/in")
    for file in source.rglob("*.png"):
        bucket.write(str(file.relative_to(source)), file.read_bytes())
    store.rate = 0.05
    summary = paint_batch(options_of("s3://photos/in", "s3://photos/out"))
    assert store.refused > 0 and (summary.painted, summary.failed) == (30, 0)
    rows = read_manifest("s3://photos/out")
    there = {entry.below: entry.size for entry in Store("s3://photos/out").walk() if entry.below.endswith(".png")}
    assert sorted(row.target for row in rows) == sorted(there) and all(there.values())
    assert paint_batch(options_of("s3://photos/in", "s3://photos/out")).there == 30

    paint_batch(options_of(source, tmp_path / "out"))
    for name in results_in(tmp_path / "out"):
        assert Store("s3://photos/out").read(name) == (tmp_path / "out" / name).read_bytes()


def test_a_store_that_is_not_there(store: Any, tmp_path: Path) -> None:
    with pytest.raises(Photo2AnimeError, match="nothing"):
        paint_batch(options_of("s3://nobucket/in", tmp_path / "out"))


@pytest.mark.slow
def test_two_nodes(tmp_path: Path) -> None:
    import ray
    from ray.cluster_utils import Cluster

    source, dest = photos_in(tmp_path / "in", 160, side=128), tmp_path / "out"
    node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(**node)
        ray.init(cluster.address, log_to_driver=False)
        assert sum(one["Alive"] for one in ray.nodes()) == 2
        assert paint_batch(options_of(source, dest)).painted == 160
    finally:
        ray.shutdown()
        cluster.shutdown()
    by_worker: dict[str, int] = {}
    for row in assert_true(dest, 160):
        by_worker[row.worker] = by_worker.get(row.worker, 0) + 1
    assert len(by_worker) == 2, by_worker


@pytest.mark.slow
def test_a_signal_leaves_a_true_manifest(tmp_path: Path) -> None:
    source, dest = photos_in(tmp_path / "in", 40, side=256), tmp_path / "out"
    command = [sys.executable, "-m", "photo2anime", "batch", str(source), str(dest), "-s", "cel", "--faces", "off"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: len(results_in(dest)) > 8 or run.poll() is not None)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=120) == 130
    assert len(read_manifest(str(dest))) < 40  # of a block in hand no row is written; it is painted again
    assert subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    assert_true(dest, 40)
