"""AnimeGANv2's training: its terms by hand, its published figures, its data, several processes, stops and returns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import ROOT, photo_of
from photo2anime import Photo2AnimeError, Stylizer
from photo2anime.train.config import FAST, PUBLISHED_WEIGHTS, TrainConfig, in_units_of, preset
from photo2anime.train.data.dataset import PairedPhotos, Sources, UnpairedPictures, batches
from photo2anime.train.learning import adversarial, losses
from photo2anime.train.learning.adversarial import dry_run, open_sources, train
from photo2anime.train.learning.checkpoint import new_state
from photo2anime.train.learning.loop import train_loop
from photo2anime.train.learning.run import Watch
from photo2anime.train.networks.discriminator import AnimeGANv2Discriminator, Seen
from photo2anime.train.publishing.export import export
from test_train import CPU, SMALL, TinyFeatures

TINY = replace(
    SMALL,
    adversarial_rise_steps=0,
    lr_generator=FAST.lr_generator,
    lr_discriminator=FAST.lr_discriminator,
    weights=PUBLISHED_WEIGHTS["hayao"],
)


@pytest.fixture(autouse=True)
def _no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adversarial, "load_features", lambda _: TinyFeatures())


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Photos, and a prepared style: color/ and smooth/ of the same names."""
    for folder, shift in (("photos", 0), ("anime/color", 60), ("anime/smooth", 60)):
        (tmp_path / folder).mkdir(parents=True)
        for seed in range(3):
            Image.fromarray(np.roll(photo_of(40, 48, seed), shift, 1)).save(tmp_path / folder / f"{seed}.png")
    return tmp_path / "photos", tmp_path / "anime"


# Terms


def test_terms_computed_by_hand() -> None:
    one = torch.ones(1, 3, 4, 4)
    assert float(losses.content(one, 3 * one)) == 2
    assert torch.allclose(losses.gram(2 * one), torch.full((1, 3, 3), 4 / 3))  # 16 places of 4, over 3 * 16
    assert float(losses.style(2 * one, one)) == pytest.approx(1)
    assert losses.gray(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)).flatten().tolist() == pytest.approx([0.299] * 3)
    step = torch.zeros(1, 1, 3, 3)
    step[..., 2] = 2  # one of two steps to the right is 2
    assert float(losses.variation(step)) == pytest.approx(1)
    assert float(losses.color(one, one)) == 0
    assert float(losses.color(one, -one)) == pytest.approx(1, abs=1e-5)  # white to black: Y by 1, U and V not
    red, blue = (torch.tensor(c).view(1, 3, 1, 1) * 2 - 1 for c in ([1.0, 0, 0], [0, 0, 1.0]))
    y, u, v = 0.299 - 0.114, 0.14714119 + 0.43601035, 0.61497538 + 0.10001026
    assert float(losses.color(red, blue)) == pytest.approx(y + u * u / 2 + v * v / 2, rel=1e-4)


def test_the_published_table() -> None:
    w = PUBLISHED_WEIGHTS["shinkai"]
    assert (w.content, w.style, w.color, w.variation, w.adversarial) == (1.2, 2, 10, 1, 300)
    assert (w.d_anime, w.d_fake, w.d_gray, w.d_smooth) == (1.7, 1.7, 1.7, 1.0)
    published = preset("mine", "paprika", "animeganv2")
    assert (published.lr_generator, published.lr_discriminator, published.lr_warmup) == (2e-5, 4e-5, 2e-4)
    assert (published.batch_size, published.crop_px, published.optimizer) == (12, 256, "adam")
    assert published.weights.d_smooth == 0.005 and published.style == "mine"
    assert sum(p.numel() for p in AnimeGANv2Discriminator().parameters()) == 1_128_800
    assert AnimeGANv2Discriminator()(Seen(torch.zeros(1, 3, 32, 32), [])).shape == (1, 1, 8, 8)
    assert in_units_of("vgg16", w) == w and in_units_of("mobilenetv2", w).content == pytest.approx(39 * 1.2)


def test_each_phase_asks_for_its_terms(folders: tuple[Path, Path]) -> None:
    state = new_state(TINY, CPU)
    loop = train_loop(state, batches(Sources(unpaired=UnpairedPictures(*folders)), TINY), TinyFeatures(), TINY, CPU)
    assert set(next(loop)) == {"grid", "content"}
    generator = {"grid", "content", "style", "color", "variation", "adversarial"}
    assert set(next(loop)) == generator | {"d_anime", "d_fake", "d_gray", "d_smooth"}


# Data


def test_smooth_pictures_are_cut_where_their_own_are(folders: tuple[Path, Path]) -> None:
    batch = next(batches(Sources(unpaired=UnpairedPictures(*folders)), TINY))
    assert batch.target is None and batch.photo.shape == (2, 3, 32, 32)
    assert batch.anime is not None and batch.smooth is not None and torch.equal(batch.anime, batch.smooth)


def test_pairs_and_other_pictures_share_a_batch(folders: tuple[Path, Path]) -> None:
    sources, cfg = open_sources(*folders, replace(TINY, batch_size=4), (folders[0], folders[1] / "color"))
    batch = next(batches(sources, cfg))
    assert batch.target is not None and batch.anime is not None
    assert (len(batch.photo), len(batch.target), len(batch.anime)) == (4, 2, 2)
    terms = next(train_loop(new_state(cfg, CPU), batches(sources, cfg), TinyFeatures(), cfg, CPU))
    assert set(terms) == {"grid", "content", "pixel", "gradient", "line", "perceptual"}
    with pytest.raises(Photo2AnimeError, match="--batch-size of 2"):
        open_sources(*folders, replace(TINY, batch_size=1), (folders[0], folders[1] / "color"))


def test_any_folder_of_pictures_is_a_style_and_wrong_ones_are_explained(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    _, cfg = open_sources(folders[0], folders[1] / "color", TINY, None)
    assert cfg.weights.d_smooth == 0 and cfg.weights.d_gray == TINY.weights.d_gray
    (tmp_path / "empty").mkdir()
    with pytest.raises(Photo2AnimeError, match="empty has no picture"):
        UnpairedPictures(folders[0], tmp_path / "empty")
    (folders[1] / "smooth" / "1.png").unlink()
    with pytest.raises(Photo2AnimeError, match="run `photo2anime prepare` again"):
        UnpairedPictures(*folders)


def test_processes_draw_the_parts_of_one_large_batch(folders: tuple[Path, Path]) -> None:
    sources = Sources(PairedPhotos(folders[0], folders[1] / "color"), UnpairedPictures(*folders))
    whole = next(batches(sources, replace(TINY, batch_size=8)))
    parts = [next(batches(sources, replace(TINY, batch_size=4), rank=rank, processes=2)) for rank in (0, 1)]
    for name in ("target", "anime", "smooth"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts])), name
    assert torch.equal(whole.even, parts[0].even) and torch.equal(whole.even, parts[1].even)


# Runs


def test_stopped_and_resumed_equals_uninterrupted(folders: tuple[Path, Path], tmp_path: Path) -> None:
    whole = train(*folders, tmp_path / "whole", TINY)
    parts = train(*folders, tmp_path / "parts", TINY, watch=Watch(minutes=0))
    while parts.step < TINY.total_steps:
        parts = train(*folders, tmp_path / "parts", TINY, watch=Watch(minutes=0))
    for name in ("generator", "ema", "discriminator"):
        a, b = whole.modules[name].state_dict(), parts.modules[name].state_dict()
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert (tmp_path / "whole" / "stats.jsonl").read_text() == (tmp_path / "parts" / "stats.jsonl").read_text()
    assert Image.open(tmp_path / "whole" / "samples" / "000004.jpg").width == 2 * 384


def test_a_passing_nan_rolls_back_and_halves_the_rate(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = losses.content, []

    def once_nan(fake: torch.Tensor, photo: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return real(fake, photo) * (float("nan") if len(calls) == 4 else 1.0)

    monkeypatch.setattr(losses, "content", once_nan)
    said: list[str] = []
    state = train(*folders, tmp_path / "run", TINY, watch=Watch(report=said.append))
    assert state.step == 4 and state.lr_scale == 0.5 and len(calls) == 6
    assert any("step 4: content is no longer a number; back to step 2" in line for line in said)
    rows = [json.loads(line) for line in (tmp_path / "run" / "stats.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]


def test_ctrl_c_saves_the_step_under_way(folders: tuple[Path, Path], tmp_path: Path) -> None:
    def interrupt(step: int) -> None:
        if step == 3 and threading.current_thread() is threading.main_thread():
            os.kill(os.getpid(), signal.SIGINT)

    long = replace(TINY, total_steps=50, checkpoint_steps=50)
    state = train(*folders, tmp_path / "run", long, watch=Watch(on_step=interrupt))
    assert state.step == 4
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 4


def test_two_processes_equal_one_with_the_double_batch(folders: tuple[Path, Path], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "import torch; torch.set_num_threads(1)\n"
        "from photo2anime.train.learning import adversarial\n"
        "from test_adversarial import TINY; from test_train import TinyFeatures\n"
        "adversarial.load_features = lambda _: TinyFeatures()\n"
        "photos, anime, run, size = sys.argv[1:]\n"
        "pairs = (Path(photos), Path(anime) / 'color')\n"
        "cfg = replace(TINY, batch_size=int(size), bfloat16=False)\n"
        "adversarial.train(Path(photos), Path(anime), Path(run), cfg, pairs=pairs)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for run, size, start in (("one", "4", [sys.executable]), ("two", "2", launcher)):
        command = [*start, str(program), *map(str, folders), str(tmp_path / run), size]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=240)
    one, two = (
        [json.loads(line) for line in (tmp_path / run / "stats.jsonl").read_text().splitlines()]
        for run in ("one", "two")
    )
    assert len(one) == len(two) == TINY.total_steps
    for a, b in zip(one, two, strict=True):
        assert a == pytest.approx(b, rel=2e-3, abs=1e-6)


def test_the_published_generator_trains_and_exports(folders: tuple[Path, Path], tmp_path: Path) -> None:
    cfg = replace(
        preset("old", "hayao", "animeganv2"),
        crop_px=32,
        batch_size=1,
        total_steps=2,
        warmup_steps=1,
        features="mobilenetv2",
    )
    state = train(*folders, tmp_path / "run", cfg)
    assert isinstance(state.generator_optimizer, torch.optim.Adam)
    assert state.generator_optimizer.param_groups[0]["lr"] == 2e-5
    written = export(tmp_path / "run", tmp_path / "out", "", "none")
    assert written.card.tiling == "approximate" and written.card.multiple_of == 4
    assert Stylizer.load(written.file)(photo_of(33, 47)).shape == (33, 47, 3)


def test_a_dry_run_tells_what_to_expect(folders: tuple[Path, Path]) -> None:
    said = dry_run(*open_sources(*folders, TINY, None), TinyFeatures())
    assert "4 steps of 2 crops of 32 px" in said and "hours in all" in said and "d_smooth" in said
    assert f"{sum(p.numel() for p in new_state(TINY, CPU).generator.parameters()):,} parameters" in said


def test_the_command_trains(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from photo2anime.cli import main

    command = ["train", "--photos", str(folders[0]), "--anime", str(folders[1]), "--run", str(tmp_path / "run")]
    command += ["--preset", "paprika", "--style", "mine", "--steps", "2", "--crop-px", "32", "--batch-size", "1"]
    assert main([*command, "--width", "8", "--warmup-steps", "1", "--color", "7"]) == 0
    assert "step 2" in capsys.readouterr().out
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (kept["style"], kept["weights"]["color"], kept["weights"]["style"]) == ("mine", 7, 0.6)
    assert isinstance(TrainConfig(**{**kept, "weights": FAST.weights, "held_out": ()}), TrainConfig)
    assert main([*command, "--width", "8", "--warmup-steps", "1", "--dry-run"]) == 0
    assert "generator fast" in capsys.readouterr().out
