"""`distill`, `train` and `export` killed, told to stop, or on a full disk, at each of their writes."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
import torch
from PIL import Image

from conftest import photo_of
from photo2anime import Photo2AnimeError
from photo2anime.cli import main
from photo2anime.images import temporary
from photo2anime.inference.weights import sha256
from photo2anime.train.learning import adversarial, distill
from photo2anime.train.learning.checkpoint import load_checkpoint, new_state
from photo2anime.train.learning.run import load_config
from photo2anime.train.publishing import export
from photo2anime.types import StyleCard
from test_runtime import write_network
from test_train import CPU, SMALL, TinyFeatures

PRELOADED = [  # by their own names: not every Python gives the fork server this process's path
    *("photo2anime.train.learning.adversarial", "photo2anime.train.learning.distill"),
    *("photo2anime.train.publishing.export", "photo2anime.cli", "pytest", "torch._dynamo", "cv2", "scipy.stats"),
]
MOMENTS = ("half written", "not named yet", "named")
STEPS = 4


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        Image.fromarray(photo_of(48, 64, seed)).save(folder / f"{seed}.png")
    return folder


def arguments(command: str, photos: Path, run: Path) -> list[str]:
    """A small run of the command, as words."""
    what = ["--targets", str(photos.parent / "same.onnx")] if command == "distill" else ["--anime", str(photos)]
    shape = "--width 8 --hidden 8 --low-blocks 1 --crop-px 32 --batch-size 2 --warmup-steps 1 --checkpoint-steps 2"
    where = [command, "--photos", str(photos), *what, "--style", "tiny", "--run", str(run)]
    return [*where, "--steps", str(STEPS), *shape.split()]


class Half:
    """A file of which half of what is written arrives before `then` is called."""

    def __init__(self, file: IO[bytes], then: Callable[[], object]) -> None:
        self.file, self.then = file, then

    def write(self, content: bytes) -> None:
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        self.then()
        self.file.write(content[len(content) // 2 :])


@contextmanager
def meeting(write: int, moment: str, then: Callable[[], object]) -> Iterator[None]:
    """Calls `then` at a moment of the write of that number, counted from 1."""
    real, writes = temporary.whole_file, 0

    @contextmanager
    def whole_file(target: Path) -> Iterator[Any]:
        nonlocal writes
        writes += 1
        met = moment if writes == write else None
        with real(target) as file:
            yield Half(file, then) if met == "half written" else file
            if met == "not named yet":
                then()
        if met == "named":
            then()

    temporary.whole_file = whole_file
    try:
        yield
    finally:
        temporary.whole_file = real


def run_until(words: list[str], write: int, moment: str, number: int) -> None:
    """Runs in a process of its own: the command, which gets a signal at a moment of one of its writes."""
    torch.set_num_threads(1)
    for module in (distill, adversarial):
        module.load_features = lambda _: TinyFeatures()
    with meeting(write, moment, lambda: os.kill(os.getpid(), number)):
        sys.exit(main(words))


def in_process(work: Callable[..., None], *given: Any) -> int:
    """The exit code of work in a process forked from a clean one, which has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *PRELOADED])
    process = context.Process(target=work, args=given)
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def check_whole(run: Path) -> None:
    """What stands under its final name can be read to its end."""
    if (run / "config.json").exists():
        cfg = load_config(run / "config.json")
        if (run / "checkpoint.pt").exists():
            state = new_state(cfg, CPU)
            load_checkpoint(run / "checkpoint.pt", state)
            assert state.step in (1, 2, 3, 4)
    for picture in [*run.glob("targets/*.png"), *run.glob("samples/*.jpg")]:
        with Image.open(picture) as image:
            image.load()


def ended(run: Path) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """The last state and the log."""
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    return state, [json.loads(row) for row in (run / "stats.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["distill", "train"])
def test_killed_at_its_writes_it_ends_as_if_it_had_not_been(command: str, photos: Path, tmp_path: Path) -> None:
    write_network(tmp_path / "same.onnx")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert in_process(run_until, arguments(command, photos, whole), 0, "", signal.SIGKILL) == 0
    rng, deaths, code = random.Random(7), [], -signal.SIGKILL
    while code != 0 and len(deaths) < 30:
        write, moment = rng.randrange(1, 4), rng.choice(MOMENTS)
        code = in_process(run_until, arguments(command, photos, killed), write, moment, signal.SIGKILL)
        check_whole(killed)
        deaths += [(write, moment)] * (code != 0)
        assert code in (0, -signal.SIGKILL), deaths
    assert code == 0 and len(deaths) >= 3
    (state, rows), (as_asked, rows_asked) = ended(killed), ended(whole)
    assert rows == rows_asked and [row["step"] for row in rows] == [1, 2, 3, 4] and state["step"] == STEPS
    assert all(torch.equal(state["ema"][name], value) for name, value in as_asked["ema"].items())
    assert len(list(killed.rglob(".photo2anime-*"))) <= 2  # it goes with the next write into its folder


@pytest.mark.slow
@pytest.mark.parametrize("write", [1, 3, 7, 9])  # of distill: the chain's name, a target, the checkpoint, the last one
def test_told_to_stop_at_its_writes_it_goes_on_from_there(write: int, photos: Path, tmp_path: Path) -> None:
    write_network(tmp_path / "same.onnx")
    words = arguments("distill", photos, tmp_path / "run")
    code = in_process(run_until, words, write, "half written", signal.SIGTERM)
    assert code == (143 if write <= 5 else 0)  # training takes note of it, and ends after its step
    check_whole(tmp_path / "run")
    assert not list((tmp_path / "run").rglob(".photo2anime-*"))
    assert in_process(run_until, words, 0, "", signal.SIGTERM) == 0
    assert [row["step"] for row in ended(tmp_path / "run")[1]] == [1, 2, 3, 4]


@pytest.mark.parametrize("write", range(1, 11))
def test_a_full_disk_is_one_line_and_no_half_file(
    write: int, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(distill, "load_features", lambda _: TinyFeatures())
    write_network(tmp_path / "same.onnx")
    words = arguments("distill", photos, tmp_path / "run")

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with meeting(write, "half written", full):
        assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("photo2anime: cannot write ") and "the disk is full; free some space" in line
    check_whole(tmp_path / "run")
    assert not list((tmp_path / "run").rglob(".photo2anime-*"))
    assert main(words) == 0
    assert [row["step"] for row in ended(tmp_path / "run")[1]] == [1, 2, 3, 4]


def test_a_log_that_ends_in_half_a_row_and_a_missing_one(photos: Path, tmp_path: Path) -> None:
    from test_train import Watch

    pairs = (photos, photos)
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill, "load_features", lambda _: TinyFeatures())
        distill.distill(*pairs, run, SMALL, watch=Watch(minutes=0))
        with open(run / "stats.jsonl", "a") as stats:
            stats.write('{"step": 2, "pix')
        distill.distill(*pairs, run, SMALL)
    assert [row["step"] for row in ended(run)[1]] == [1, 2, 3, 4]


def test_targets_of_two_chains_are_never_mixed(photos: Path, tmp_path: Path) -> None:
    for name in ("same", "other"):
        write_network(tmp_path / f"{name}.onnx")
    folder, said = tmp_path / "targets", list[str]()
    distill.draw_targets(photos, str(tmp_path / "same.onnx"), folder, said.append)
    (folder / "3.png").unlink()
    with pytest.raises(Photo2AnimeError, match=r"was begun with .*same\.onnx; give that as --targets"):
        distill.draw_targets(photos, str(tmp_path / "other.onnx"), folder, said.append)
    distill.draw_targets(photos, str(tmp_path / "same.onnx"), folder, said.append)
    assert (folder / "3.png").exists()


# Export


def publish(made: Path, out: Path, card: StyleCard, write: int, moment: str) -> None:
    """Runs in a process of its own: a network is put into its place, until the process is killed there."""
    with meeting(write, moment, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        export._publish(made, out, card, "{}")


@pytest.mark.slow
def test_killed_in_an_export_no_row_stands_beside_another_network(tmp_path: Path) -> None:
    made, out = tmp_path / "made", tmp_path / "out"
    made.mkdir()
    card = StyleCard("tiny", "tiny.onnx", int8_file="tiny-int8.onnx")
    kills = [(write, moment) for write in range(1, 5) for moment in MOMENTS]
    for number, (write, moment) in enumerate([(0, ""), *kills]):
        for name in ("tiny.onnx", "tiny-int8.onnx"):
            (made / name).write_bytes(f"{name} of export {number}".encode() * 50)
        own = replace(card, sha256=sha256(made / "tiny.onnx"), int8_sha256=sha256(made / "tiny-int8.onnx"))
        code = in_process(publish, made, out, own, write, moment)
        assert code == (0 if write == 0 else -signal.SIGKILL)
        if row := (out / "tiny.toml").read_text() if (out / "tiny.toml").exists() else "":
            for name in ("tiny.onnx", "tiny-int8.onnx"):
                assert sha256(out / name) in row
        assert bool(row) == ((write, moment) in ((0, ""), (4, "named")))
    assert in_process(publish, made, out, own, 0, "") == 0
    assert {file.name for file in out.iterdir()} == {"tiny.onnx", "tiny-int8.onnx", "tiny.toml", "tiny.md"}
