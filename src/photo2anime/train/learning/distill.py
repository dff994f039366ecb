"""`photo2anime distill`: paired training, on pictures under the photos' names or on what another network paints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from photo2anime.images.image_io import read_image, why_not_written, write_image
from photo2anime.images.temporary import write_whole
from photo2anime.train.config import TrainConfig
from photo2anime.train.data.dataset import PairedPhotos, Sources, pictures_in
from photo2anime.train.data.targets import parse_chain
from photo2anime.train.learning.checkpoint import TrainState
from photo2anime.train.learning.run import Watch, train_run
from photo2anime.train.networks.features import load_features
from photo2anime.types import Photo2AnimeError, Picture

_DRAWN_BY = "chain.txt"  # in the folder of targets


def distill(
    photos: Path,
    targets: str | Path,
    run: Path,
    cfg: TrainConfig,
    *,
    pseudo_pairs: tuple[Path, Path] | None = None,
    start_from: str | None = None,
    watch: Watch | None = None,
) -> TrainState:
    """The trained state; the same call again goes on where the last one stopped, exactly.

    targets: the folder of pictures with the photos' names, or a chain of steps (`targets.parse_chain`: an .onnx file,
    "a.onnx,b.onnx@3"), which then draws them into run/targets.
    pseudo_pairs: (photos, targets) that other networks painted, for places the pairs do not show; they are half of each
    batch. The rest is train_run's.
    """
    watch = watch or Watch()
    if not Path(targets).is_dir():
        targets = draw_targets(photos, str(targets), run / "targets", watch.report)
    sources = Sources(
        pairs=PairedPhotos(photos, Path(targets), cfg.held_out),
        pseudo_pairs=PairedPhotos(*pseudo_pairs) if pseudo_pairs else None,
    )
    return train_run(run, sources, load_features(cfg.features), cfg, start_from, watch)


def draw_targets(photos: Path, chain: str, folder: Path, report: Callable[[str], None]) -> Path:
    """folder, with every photo drawn by the chain; those already there are left, so a stopped run goes on. Raises
    Photo2AnimeError when another chain began it.
    """
    draw = parse_chain(chain)
    _keep_chain(folder / _DRAWN_BY, chain)
    files = pictures_in(photos)
    for done, (name, file) in enumerate(files.items(), start=1):
        target = folder / f"{name}.png"
        if not target.exists():
            write_image(target, Picture(draw(read_image(file).rgb)))
        if done % 100 == 0 or done == len(files):
            report(f"{done} of {len(files)} photos drawn by {chain}")
    return folder


def _keep_chain(note: Path, chain: str) -> None:
    try:
        if not note.exists():
            write_whole(note, chain.encode())
        begun = note.read_text(encoding="utf-8")
    except OSError as error:
        raise Photo2AnimeError(why_not_written(note, error)) from error
    if begun != chain:
        raise Photo2AnimeError(f"{note.parent} was begun with {begun}; give that as --targets, or another --run folder")
