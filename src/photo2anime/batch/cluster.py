"""Ray, started on this machine or joined: quiet, closed to the network, reporting to nobody."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from photo2anime.inference.runtime import cpu_threads
from photo2anime.options import BatchOptions
from photo2anime.types import Photo2AnimeError

_OBJECT_STORE_BYTES = 200 << 20  # only names and rows pass through it
_BLOCK_BYTES = 1 << 9  # a handful of inputs: what one call of a worker paints, and what its death can cost


@dataclass(frozen=True, slots=True)
class Crew:
    """Who paints. workers: at a time. device: what their networks run on. gpus: that each of them has, 0 or 1."""

    workers: int
    device: str
    gpus: int


@contextmanager
def started(options: BatchOptions, *, readers: int = 0) -> Iterator[Crew]:
    """Ray, ready to paint; what was started here is gone afterwards. Raises Photo2AnimeError when there is no cluster
    at options.address. readers: cores that Ray Data takes for reading SOURCE, which workers have to leave to it; of
    this machine alone they are lent, since reading a list is next to no work.
    """
    own = _join_or_start(options, readers)
    try:
        _quieten()
        yield _crew(options, readers)
    finally:
        if own:
            import ray

            ray.shutdown()


def _join_or_start(options: BatchOptions, readers: int) -> bool:
    """Whether this call connected, so that it is to end it, too."""
    address = options.address or os.environ.get("RAY_ADDRESS")
    prepare_environment(alone=not address)
    import ray

    if ray.is_initialized():
        return False
    try:
        if address:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                "local",
                num_cpus=(options.threads or cpu_threads()) + readers,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise Photo2AnimeError(f"no Ray cluster at {address} ({reason})" if address else reason) from error
    return True


def prepare_environment(*, alone: bool) -> None:
    """Sets what Ray reads when it is imported first. alone: it runs on this machine only, so it listens on loopback."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it would report to its maker
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what concerns the user is told by us
    if alone:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # its name for that, on any system
        os.environ.setdefault("RAY_agent_register_timeout_ms", "100000")  # a busy machine takes its time


@contextmanager
def own_errors() -> Iterator[None]:
    """A Photo2AnimeError that was raised in another process is raised here as what it is."""
    import ray

    try:
        yield
    except ray.exceptions.RayError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, Photo2AnimeError):
                raise Photo2AnimeError(str(getattr(cause, "cause", cause))) from error
            cause = cause.__cause__
        raise


def _quieten() -> None:
    """Small blocks and no lines of Ray Data's own."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = _BLOCK_BYTES
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _crew(options: BatchOptions, readers: int) -> Crew:
    import ray

    resources = ray.cluster_resources()
    gpus, asked = int(resources.get("GPU", 0)), options.load.device
    if gpus and asked in ("auto", "cuda"):
        return Crew(options.workers or gpus, "cuda", 1)
    device = "cpu" if asked == "auto" else asked
    return Crew(options.workers or max(1, int(resources.get("CPU", 1)) - readers), device, 0)
