"""Runs an .onnx file with ONNX Runtime, and checks that the device asked for really started."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it reports to its maker; we promise to work offline
import onnxruntime as ort
from numpy.typing import NDArray

from photo2anime.inference.onnx_file import read_network
from photo2anime.types import DEVICES, Batch, MeanColor, MemoryRanOutError, Photo2AnimeError, StyleCard, Tiling

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
_AUTOMATIC = ("cuda", "directml", "cpu")  # first that is offered; CoreML is slower with free sizes, so only when asked
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
MEAN_COLOR = "mean_color"  # name of the second input of a network that has one
TRIAL_SECONDS = 20.0  # so long may a network nobody knows take for a small square
_PREFIX = "photo2anime."  # of our keys in an .onnx file's metadata


class OnnxNetwork:
    """An .onnx file as a Network: call it with (N, 3, H, W) float32 in [-1, 1], get the same shape and range. A file
    with a second input takes mean_color besides, (N, 3); without it the batch is taken for whole pictures.

    device: "auto", "cpu", "cuda", "directml" or "coreml"; `device` afterwards is the one that started. card: what is
    known of the style; None reads it from the file's metadata, or finds out by trying. seconds: a longer call is
    stopped; None is no limit. Raises Photo2AnimeError when the file is no such network or names another file, or the
    device that was asked for does not start.
    """

    def __init__(
        self, file: Path, *, device: str = "auto", card: StyleCard | None = None, seconds: float | None = None
    ) -> None:
        self._session, self.device = _start(file, device)
        self._file, self._seconds = file.absolute(), seconds
        self._input, *more = self._session.get_inputs()
        self._takes_mean_color = [fed.name for fed in more] == [MEAN_COLOR]
        if more and not self._takes_mean_color:
            raise Photo2AnimeError(f"{file} takes {1 + len(more)} inputs, not one picture; give another network")
        if self._input.type not in _TYPES or len(self._input.shape or ()) != 4:
            raise Photo2AnimeError(
                f"{file} takes {self._input.type} of shape {self._input.shape}, not one picture of float32 or float16; "
                "give a photo-to-anime network"
            )
        self.card = card or self._describe(file)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what it was made from: another process opens the file itself."""
        return partial(OnnxNetwork, self._file, device=self.device, card=self.card, seconds=self._seconds), ()

    def __call__(self, batch: Batch, mean_color: MeanColor | None = None) -> Batch:
        try:
            return self._run(batch, self.card.layout, mean_color)
        except Exception as error:
            reason = _first_line(error)
            size = f"{batch.shape[3]}x{batch.shape[2]}"
            if isinstance(error, MemoryError) or "alloc" in reason:
                raise MemoryRanOutError(
                    f"memory ran out at {size} pixels; try --max-side, a smaller --tile, or close other programs"
                ) from error
            raise Photo2AnimeError(
                f"{self.card.name} failed at {size} pixels ({reason}); try --tile or --max-side"
            ) from error

    def _run(self, batch: Batch, layout: Literal["NCHW", "NHWC"], mean_color: MeanColor | None = None) -> Batch:
        fed = batch if layout == "NCHW" else np.ascontiguousarray(batch.transpose(0, 2, 3, 1))
        inputs = {self._input.name: fed.astype(_TYPES[self._input.type], copy=False)}
        if self._takes_mean_color:
            inputs[MEAN_COLOR] = batch.mean((2, 3)) if mean_color is None else mean_color
        answer = np.asarray(self._timed(inputs)[0], np.float32)
        return answer if layout == "NCHW" else answer.transpose(0, 3, 1, 2)

    def _timed(self, inputs: dict[str, Any]) -> list[Any]:
        """The session's outputs; a run that takes too long is stopped and raises."""
        if self._seconds is None:
            return self._session.run(None, inputs)  # type: ignore[no-any-return]
        options = ort.RunOptions()
        timer = threading.Timer(self._seconds, setattr, (options, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            return self._session.run(None, inputs, options)  # type: ignore[no-any-return]
        finally:
            timer.cancel()

    def _describe(self, file: Path) -> StyleCard:
        """The card of a loose file: from our own metadata when it has it, else found out."""
        metadata = self._session.get_modelmeta().custom_metadata_map
        if f"{_PREFIX}multiple_of" in metadata:
            return card_from_metadata(metadata, file)
        shape = self._input.shape
        layout: Literal["NCHW", "NHWC"] = "NHWC" if shape[3] == 3 else "NCHW"
        height, width = shape[1:3] if layout == "NHWC" else shape[2:4]
        fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
        return StyleCard(
            name=file.stem,
            file=str(file),
            layout=layout,
            multiple_of=1 if fixed else self._find_multiple(file, layout),
            fixed_size=fixed,
            halo=min(64, *(side // 4 for side in fixed)) if fixed else 64,
            tiling="approximate",
            description="an .onnx file that says nothing of itself; whole-picture statistics are assumed",
        )

    def _find_multiple(self, file: Path, layout: Literal["NCHW", "NHWC"]) -> int:
        """The smallest power of two whose odd multiples the network accepts and gives back in the same size."""
        asked, self._seconds = self._seconds, TRIAL_SECONDS
        try:
            return self._smallest_multiple(file, layout)
        finally:
            self._seconds = asked

    def _smallest_multiple(self, file: Path, layout: Literal["NCHW", "NHWC"]) -> int:
        started = time.monotonic()
        for multiple_of in (1, 2, 4, 8, 16, 32, 64):
            side = multiple_of * (128 // multiple_of + 1)
            photo = np.zeros((1, 3, side, side + 2 * multiple_of), np.float32)
            try:
                if self._run(photo, layout).shape == photo.shape:
                    return multiple_of
            except Exception as error:  # noqa: BLE001  onnxruntime raises its own kinds, some of them plain RuntimeError
                reason = _first_line(error)
                if time.monotonic() - started > TRIAL_SECONDS:
                    break
                continue
            reason = "the answer has another size"
        raise Photo2AnimeError(
            f"{file} does not turn a picture into one of the same size ({reason}); give another network"
        )


def open_model(file: Path) -> Callable[[NDArray[np.float32]], list[NDArray[Any]]]:
    """An .onnx file of one input as a function that gives all its outputs in their order, on the CPU."""
    session = _open_session(file, PROVIDERS["cpu"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})


def card_to_metadata(card: StyleCard) -> dict[str, str]:
    """The card as ONNX metadata, so that an .onnx file describes itself."""
    facts = {
        "name": card.name,
        "description": card.description,
        "layout": card.layout,
        "multiple_of": card.multiple_of,
        "halo": card.halo,
        "tiling": card.tiling,
        "max_side": card.max_side,
        "bytes_per_px": card.bytes_per_px,
        "mean_color": card.mean_color,
        "license": card.license,
        "range": "[-1, 1]",
    }
    return {_PREFIX + key: str(value) for key, value in facts.items()}


def card_from_metadata(metadata: dict[str, str], file: Path) -> StyleCard:
    """The card that card_to_metadata wrote. Raises Photo2AnimeError when a fact is missing."""
    facts = {key.removeprefix(_PREFIX): value for key, value in metadata.items() if key.startswith(_PREFIX)}
    try:
        tiling: Tiling = "exact" if facts["tiling"] == "exact" else "approximate"
        return StyleCard(
            name=facts["name"],
            file=str(file),
            description=facts["description"],
            layout="NCHW" if facts["layout"] == "NCHW" else "NHWC",
            multiple_of=int(facts["multiple_of"]),
            halo=int(facts["halo"]),
            tiling=tiling,
            max_side=int(facts["max_side"]),
            bytes_per_px=int(facts["bytes_per_px"]),
            mean_color=facts.get("mean_color") == "True",
            license=facts["license"],
        )
    except (KeyError, ValueError) as error:
        raise Photo2AnimeError(f"{file} has incomplete metadata ({error}); export it again") from error


def offered_devices() -> list[str]:
    """The devices this onnxruntime was built for, best first; whether one starts is only known by starting it."""
    offered = ort.get_available_providers()
    return [device for device in ("cuda", "directml", "coreml", "cpu") if PROVIDERS[device] in offered]


def prefers_int8(device: str) -> bool:
    """Whether 8-bit networks are faster there: on CPUs with AVX2 (1.7 times; 2.5 with VNNI) or ARM's dot product."""
    automatic = next(name for name in _AUTOMATIC if name in offered_devices())
    on_cpu = "cpu" in (device, automatic if device == "auto" else device)
    return on_cpu and not cpu_features().isdisjoint({"avx2", "asimddp"})


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def cpu_threads() -> int:
    """How many processors this process may use; PHOTO2ANIME_THREADS, when set, is fewer."""
    asked = os.environ.get("PHOTO2ANIME_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def cpu_features() -> frozenset[str]:
    """The extensions of this processor, in the words of Linux ("avx512_vnni"); empty where that is not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(word for line in lines if line.startswith(("flags", "Features")) for word in line.split()[1:])


def _start(file: Path, device: str) -> tuple[Any, str]:
    """The session and the device it runs on: the one asked for, or with "auto" the first that starts."""
    offered = offered_devices()
    if device not in DEVICES:
        raise Photo2AnimeError(f"no device called {device}; use {', '.join(DEVICES)}")
    if device not in ("auto", *offered):
        package = {"cuda": "onnxruntime-gpu", "directml": "onnxruntime-directml"}.get(device)
        fix = f"`pip uninstall onnxruntime` and `pip install {package}`, or " if package else ""
        raise Photo2AnimeError(
            f"{device} was asked for, but this onnxruntime offers {', '.join(offered)}; {fix}leave --device out"
        )
    for candidate in [name for name in _AUTOMATIC if name in offered] if device == "auto" else [device]:
        session = _open_session(file, PROVIDERS[candidate])
        if session.get_providers()[0] == PROVIDERS[candidate]:  # ONNX Runtime falls back without raising
            return session, candidate
    raise Photo2AnimeError(f"{device} was asked for but did not start; run `photo2anime doctor`")


def _open_session(file: Path, provider: str) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = cpu_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave cores to others
    options.add_session_config_entry("session.load_model_format", "ONNX")  # its own format we cannot look into
    options.log_severity_level = 4  # a device that fails to start is told by us, once
    network = read_network(file)  # what was looked into is what is loaded, and bytes have no folder beside them
    try:
        return ort.InferenceSession(network, options, providers=[provider])
    except Exception as error:
        reason = _first_line(error)
        raise Photo2AnimeError(f"{file} could not be loaded as a network ({reason}); give an .onnx file") from error
