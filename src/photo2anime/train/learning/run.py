"""A training run in its folder: config.json, checkpoint.pt, stats.jsonl, samples/ and TensorBoard's events.

It can be stopped at any moment and goes on exactly where it was saved last; a loss that is no longer a number takes it
back to its last good checkpoint, at half the learning rate.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from photo2anime.images.image_io import why_not_written, write_image
from photo2anime.images.temporary import write_whole
from photo2anime.inference.onnx_file import read_network
from photo2anime.inference.weights import local_file
from photo2anime.styles import find_style
from photo2anime.train import distributed
from photo2anime.train.config import LossWeights, TrainConfig
from photo2anime.train.data.dataset import Sources, batches
from photo2anime.train.learning.checkpoint import AnyGenerator, TrainState, load_checkpoint, new_state, save_checkpoint
from photo2anime.train.learning.loop import train_loop
from photo2anime.train.learning.sample_sheet import sample_sheet
from photo2anime.train.networks.features import Features
from photo2anime.train.networks.generator import Generator, grow
from photo2anime.types import Photo2AnimeError, Picture

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EEXIST}
_MOST_ROLLBACKS = 3  # since the last good checkpoint


@dataclass(frozen=True, slots=True)
class Watch:
    """How a run is followed and ended. minutes: stop after so long, to be resumed; None trains to the end.

    report: receives a line at each checkpoint. on_step: receives how many steps are done, after each.
    """

    minutes: float | None = None
    report: Callable[[str], None] = lambda line: None
    on_step: Callable[[int], None] = lambda step: None


class _NotANumberError(Exception):
    """A loss is NaN or infinite. args: the names of the terms."""


def train_run(
    run: Path, sources: Sources, features: Features, cfg: TrainConfig, start_from: str | None, watch: Watch
) -> TrainState:
    """The trained state; the same call again goes on where the last one stopped.

    start_from: a run folder, style or .onnx of ours whose weights a new run begins with. Ctrl-C and SIGTERM end it
    after the step under way. Raises Photo2AnimeError when losses stay no number; the folder then holds the last good
    checkpoint.
    """
    with _disk_errors_told(run), distributed.joined_processes() as device, _signals_awaited() as asked_to_stop:
        run.mkdir(parents=True, exist_ok=True)
        _keep_config(run / "config.json", cfg)
        state = _last_good(run, cfg, device, start_from)
        if state.step:
            watch.report(f"going on at step {state.step} of {cfg.total_steps}")
        rollbacks, good = 0, state.step
        while True:
            try:
                _train(run, sources, features, cfg, state, device, watch, asked_to_stop)
                return state
            except _NotANumberError as error:
                saved = _last_good(run, cfg, device, start_from)
                rollbacks = rollbacks + 1 if saved.step == good else 1
                good = saved.step
                _cut_stats(run / "stats.jsonl", good)
                what = f"step {state.step}: {', '.join(error.args)} is no longer a number"
                if rollbacks > _MOST_ROLLBACKS:
                    raise Photo2AnimeError(
                        f"training stopped at {what}, at a rate halved {_MOST_ROLLBACKS} times. {run} is back at its "
                        f"last good checkpoint, step {good}; begin a new --run with a lower --lr, or change the seed"
                    ) from error
                saved.lr_scale *= 0.5**rollbacks
                state = saved
                watch.report(f"{what}; back to step {good}, learning rates at {state.lr_scale:g} of their schedule")


def _train(
    run: Path,
    sources: Sources,
    features: Features,
    cfg: TrainConfig,
    state: TrainState,
    device: torch.device,
    watch: Watch,
    asked_to_stop: Callable[[], bool],
) -> None:
    """Trains to the end, or until it is asked to stop; saves, logs and samples on the way (process 0 only)."""
    started = time.monotonic()
    writes = distributed.rank() == 0
    if writes:
        _cut_stats(run / "stats.jsonl", state.step)
    board = _tensorboard(run) if writes else None
    drawn = batches(sources, cfg, state.step, distributed.rank(), distributed.count())
    with open(run / "stats.jsonl" if writes else os.devnull, "a", encoding="utf-8") as stats:
        for terms in train_loop(state, drawn, features, cfg, device):
            out_of_time = watch.minutes is not None and time.monotonic() - started > 60 * watch.minutes
            stop, *means = distributed.mean(
                [float(out_of_time or asked_to_stop()), *(float(term.detach()) for term in terms.values())]
            )
            row = dict(zip(terms, means, strict=True))
            if bad := [name for name, value in row.items() if not math.isfinite(value)]:
                raise _NotANumberError(*bad)
            stats.write(json.dumps({"step": state.step, **row}) + "\n")
            watch.on_step(state.step)
            finished = stop > 0 or state.step == cfg.total_steps
            if writes and (finished or state.step % cfg.checkpoint_steps == 0):
                stats.flush()
                save_checkpoint(run / "checkpoint.pt", state)
                write_image(run / "samples" / f"{state.step:06d}.jpg", Picture(sample_sheet(sources, state.ema)))
                _plot(board, row, state.step)
                pace = f"{(time.monotonic() - started) / 60:.1f} min"
                watch.report(f"step {state.step}  {pace}  " + "  ".join(f"{k} {v:.4f}" for k, v in row.items()))
            if finished:
                break
    distributed.wait_for_all()


def _last_good(run: Path, cfg: TrainConfig, device: torch.device, start_from: str | None) -> TrainState:
    """What the run saved last, or its beginning."""
    state = new_state(cfg, device)
    checkpoint = run / "checkpoint.pt"
    if checkpoint.exists():
        load_checkpoint(checkpoint, state)
    elif start_from is not None:
        _begin_from(start_from, state)
    return state


def load_generator(run: Path) -> tuple[AnyGenerator, TrainConfig]:
    """The EMA generator of a run folder, in evaluation mode, and the configuration it was trained with."""
    cfg = load_config(run / "config.json")
    state = new_state(cfg, torch.device("cpu"))
    load_checkpoint(run / "checkpoint.pt", state)
    return state.ema, cfg


def load_config(file: Path) -> TrainConfig:
    """The configuration of a run folder. Raises Photo2AnimeError when file is missing or of another version."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        saved["weights"] = LossWeights(**saved["weights"])
        saved["held_out"] = tuple(saved["held_out"])
        return TrainConfig(**saved)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Photo2AnimeError(f"{file} is not the configuration of a training run ({error})") from error


def _keep_config(file: Path, cfg: TrainConfig) -> None:
    if file.exists():
        if (kept := load_config(file)) != cfg:
            differing = [name for name, value in asdict(cfg).items() if asdict(kept)[name] != value]
            raise Photo2AnimeError(
                f"{file.parent} was begun with another {', '.join(differing)}; give the same, or another --run folder"
            )
        return
    write_whole(file, json.dumps(asdict(cfg), indent=1).encode())


def _begin_from(source: str, state: TrainState) -> None:
    """Gives both generators the weights of a run folder, an installed style, or an .onnx file that `export` wrote; a
    smaller one grows.
    """
    if Path(source).is_dir():
        weights = load_generator(Path(source))[0].state_dict()
    else:
        file = Path(source) if source.endswith(".onnx") else local_file(find_style(source))
        stored = onnx.load_model_from_string(
            read_network(file)
        ).graph.initializer  # weights have dotted names, the exporter's constants have none
        weights = {
            i.name: torch.tensor(onnx.numpy_helper.to_array(i).astype(np.float32)) for i in stored if "." in i.name
        }
    try:
        if not weights:
            raise RuntimeError("no weights by name")
        for generator in (state.generator, state.ema):
            _take_over(weights, generator)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise Photo2AnimeError(f"--from {source}: not a generator of this shape ({reason})") from error


def _take_over(weights: dict[str, torch.Tensor], generator: AnyGenerator) -> None:
    if isinstance(generator, Generator):
        grow(weights, generator)
    else:
        generator.load_state_dict(weights)


def _cut_stats(file: Path, step: int) -> None:
    """Drops the rows after step, and half a row: a run that was killed had logged further than it had saved."""
    if file.exists():
        rows = file.read_bytes().splitlines(keepends=True)
        kept = [row for row in rows if row.endswith(b"\n") and json.loads(row)["step"] <= step]
        if kept != rows:
            write_whole(file, b"".join(kept))


@contextmanager
def _disk_errors_told(run: Path) -> Iterator[None]:
    """A disk that can take no more as a Photo2AnimeError of one line."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        when_full = "free some space; the same command then goes on from the last checkpoint"
        raise Photo2AnimeError(why_not_written(run, error, when_full=when_full)) from error


@contextmanager
def _signals_awaited() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; for the time of the block they end nothing by themselves, but the second does."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: Any) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
