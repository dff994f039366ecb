"""`photo2anime distill`: paired training of the fast generator, in a run folder that can be stopped and resumed.

A run folder holds config.json, checkpoint.pt, stats.jsonl, samples/ and TensorBoard's events.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from PIL import Image

from photo2anime.image_io import read_image, write_image
from photo2anime.pixels import pad_bottom_right, to_image
from photo2anime.styles import find_style
from photo2anime.stylizer import Stylizer
from photo2anime.train.checkpoint import TrainState, load_checkpoint, new_state, save_checkpoint
from photo2anime.train.config import DistillConfig, LossWeights
from photo2anime.train.data import PairedPhotos, as_tensor, paired_batches, pictures_in
from photo2anime.train.features import load_features
from photo2anime.train.generator import Generator
from photo2anime.train.loop import distill_loop
from photo2anime.types import RGB, Photo2AnimeError, Picture
from photo2anime.weights import local_file

_SAMPLE_PX = 384  # side of the crops in the sample grid
_SAMPLES = 6


def distill(
    photos: Path,
    targets: Path,
    run: Path,
    cfg: DistillConfig,
    *,
    minutes: float | None = None,
    start_from: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> TrainState:
    """The trained state; the same call again goes on where the last one stopped, exactly.

    targets: the folder of pictures with the photos' names, or an .onnx file, which then paints them into run/targets.
    minutes: stop after so long, to be resumed; None trains to cfg.total_steps. start_from: a run folder, style or .onnx
    of ours whose weights the generator begins with. report: receives progress, a line at a time. Raises
    Photo2AnimeError when a loss is no longer a number; the run folder then holds the last good checkpoint.
    """
    started = time.monotonic()
    run.mkdir(parents=True, exist_ok=True)
    _keep_config(run / "config.json", cfg)
    if targets.suffix.lower() == ".onnx":
        targets = paint_targets(photos, targets, run / "targets", report)
    pairs = PairedPhotos(photos, targets, cfg.held_out)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = new_state(cfg, device)
    checkpoint = run / "checkpoint.pt"
    if checkpoint.exists():
        load_checkpoint(checkpoint, state)
        report(f"going on at step {state.step} of {cfg.total_steps}")
    elif start_from is not None:
        _begin_from(start_from, state)
    features = load_features(cfg.features).to(device)
    _cut_stats(run / "stats.jsonl", state.step)
    batches = paired_batches(pairs, cfg, first_step=state.step)
    board = _tensorboard(run)

    with open(run / "stats.jsonl", "a", encoding="utf-8") as stats:
        for terms in distill_loop(state, batches, features, cfg, device):
            row = {name: float(term.detach()) for name, term in terms.items()}
            if not all(np.isfinite(value) for value in row.values()):
                _give_up(run, state.step, row)
            stats.write(json.dumps({"step": state.step, **row}) + "\n")
            out_of_time = minutes is not None and time.monotonic() - started > 60 * minutes
            finished = out_of_time or state.step == cfg.total_steps
            if finished or state.step % cfg.checkpoint_steps == 0:
                stats.flush()
                save_checkpoint(checkpoint, state)
                _write_samples(run, pairs, state)
                _plot(board, row, state.step)
                pace = f"{(time.monotonic() - started) / 60:.1f} min"
                report(f"step {state.step}  {pace}  " + "  ".join(f"{k} {v:.4f}" for k, v in row.items()))
            if finished:
                break
    return state


def paint_targets(photos: Path, model: Path, folder: Path, report: Callable[[str], None]) -> Path:
    """folder, with every photo painted by an .onnx file; those already there are left, so a stopped run goes on."""
    stylizer = Stylizer.load(model)
    files = pictures_in(photos)
    for done, (name, file) in enumerate(files.items(), start=1):
        target = folder / f"{name}.png"
        if not target.exists():
            write_image(target, Picture(stylizer.paint(read_image(file).rgb)))
        if done % 100 == 0 or done == len(files):
            report(f"{done} of {len(files)} photos painted by {model.name}")
    return folder


def load_generator(run: Path) -> tuple[Generator, DistillConfig]:
    """The EMA generator of a run folder, in evaluation mode, and the configuration it was trained with."""
    cfg = load_config(run / "config.json")
    state = new_state(cfg, torch.device("cpu"))
    load_checkpoint(run / "checkpoint.pt", state)
    return state.ema, cfg


def load_config(file: Path) -> DistillConfig:
    """The configuration of a run folder. Raises Photo2AnimeError when file is missing or of another version."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        saved["weights"] = LossWeights(**saved["weights"])
        saved["held_out"] = tuple(saved["held_out"])
        return DistillConfig(**saved)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Photo2AnimeError(f"{file} is not the configuration of a training run ({error})") from error


def _keep_config(file: Path, cfg: DistillConfig) -> None:
    if file.exists() and (kept := load_config(file)) != cfg:
        differing = [name for name, value in asdict(cfg).items() if asdict(kept)[name] != value]
        raise Photo2AnimeError(
            f"{file.parent} was begun with another {', '.join(differing)}; give the same, or another --run folder"
        )
    file.write_text(json.dumps(asdict(cfg), indent=1), encoding="utf-8")


def _begin_from(source: str, state: TrainState) -> None:
    """Gives both generators the weights of a run folder, an installed style, or an .onnx file that `export` wrote; a
    level at 1/16 that those lack stays as it starts, a small correction.
    """
    if Path(source).is_dir():
        weights = load_generator(Path(source))[0].state_dict()
    else:
        file = Path(source) if source.endswith(".onnx") else local_file(find_style(source))
        weights = {i.name: torch.tensor(onnx.numpy_helper.to_array(i)) for i in onnx.load(file).graph.initializer}
    own = state.generator.state_dict()
    weights |= {name: value for name, value in own.items() if name.startswith("deep.") and name not in weights}
    try:
        state.generator.load_state_dict(weights)
        state.ema.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise Photo2AnimeError(f"--from {source}: not a generator of this shape ({reason})") from error


def _cut_stats(file: Path, step: int) -> None:
    """Drops the rows after step: a run that was killed had logged further than it had saved."""
    if file.exists():
        rows = [row for row in file.read_text(encoding="utf-8").splitlines() if json.loads(row)["step"] <= step]
        file.write_text("".join(row + "\n" for row in rows), encoding="utf-8")


def _give_up(run: Path, step: int, row: dict[str, float]) -> None:
    bad = ", ".join(name for name, value in row.items() if not np.isfinite(value))
    kept = run / "checkpoint.pt"
    good = torch.load(kept, weights_only=True)["step"] if kept.exists() else 0
    _cut_stats(run / "stats.jsonl", good)
    raise Photo2AnimeError(
        f"training stopped at step {step}: {bad} is no longer a number. {run} is back at its last good checkpoint, "
        f"step {good}; begin a new --run with a lower --lr, or change the seed"
    )


def _write_samples(run: Path, pairs: PairedPhotos, state: TrainState) -> None:
    """Photo, result and target of a few pictures side by side, the held-out ones first."""
    rows = []
    for name in (pairs.held_out + pairs.train)[:_SAMPLES]:
        photo, anime = (_centre(picture) for picture in pairs[name])
        rows.append(np.concatenate([photo, paint_whole(state.ema, photo), anime], axis=1))
    write_image(run / "samples" / f"{state.step:06d}.jpg", Picture(np.concatenate(rows)))


def _centre(picture: RGB) -> RGB:
    height, width = picture.shape[:2]
    top, left = max(0, height - _SAMPLE_PX) // 2, max(0, width - _SAMPLE_PX) // 2
    crop = picture[top : top + _SAMPLE_PX, left : left + _SAMPLE_PX]
    if crop.shape[:2] != (_SAMPLE_PX, _SAMPLE_PX):
        crop = np.asarray(Image.fromarray(crop).resize((_SAMPLE_PX, _SAMPLE_PX), Image.Resampling.BICUBIC))
    return crop


@torch.no_grad()
def paint_whole(generator: Generator, photo: RGB) -> RGB:
    """Photo painted in one piece by a PyTorch generator: (H, W, 3) uint8 -> the same."""
    height, width = photo.shape[:2]
    device = next(generator.parameters()).device
    m = generator.multiple_of
    padded = pad_bottom_right(photo, -(-height // m) * m, -(-width // m) * m)
    return to_image(generator(as_tensor((padded,)).to(device)).cpu().numpy())[:height, :width]


def _tensorboard(run: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run))


def _plot(board: Any, row: dict[str, float], step: int) -> None:
    if board is not None:
        for name, value in row.items():
            board.add_scalar(name, value, step)
        board.flush()
