"""What the server counts, as Prometheus text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from photo2anime.web.jobs import Jobs


class Metrics:
    """Counters of one server; several in a process do not disturb each other."""

    def __init__(self, jobs: Jobs) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.paintings = Counter("photo2anime_paintings", "Paintings done", ["style"], registry=self.registry)
        self.refusals = Counter("photo2anime_refusals", "Requests refused", ["status"], registry=self.registry)
        self.seconds = Histogram(
            "photo2anime_painting_seconds",
            "From the start of a painting to its encoded result",
            buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        running = Gauge("photo2anime_jobs_running", "Paintings at this moment", registry=self.registry)
        running.set_function(lambda: jobs.running)
        waiting = Gauge("photo2anime_jobs_waiting", "Paintings in the queue", registry=self.registry)
        waiting.set_function(lambda: jobs.waiting)

    def refused(self, status: int) -> None:
        """Counts one refusal."""
        self.refusals.labels(str(status)).inc()

    def painted(self, style: str, seconds: float) -> None:
        """Counts one painting."""
        self.paintings.labels(style).inc()
        self.seconds.observe(seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return bytes(generate_latest(self.registry))
