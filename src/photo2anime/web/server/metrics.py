"""The server's counters, as Prometheus text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from photo2anime.web.server.jobs import Jobs


class Metrics:
    """Counters of one server; several servers in a process do not share them."""

    def __init__(self, jobs: Jobs, videos: Jobs) -> None:
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
        gauges = {
            "photo2anime_jobs_running": ("Paintings at this moment", lambda: jobs.running),
            "photo2anime_jobs_waiting": ("Paintings in the queue", lambda: jobs.waiting),
            "photo2anime_videos_running": ("Videos at this moment", lambda: videos.running),
            "photo2anime_videos_waiting": ("Videos in the queue", lambda: videos.waiting),
        }
        for name, (meaning, value) in gauges.items():
            Gauge(name, meaning, registry=self.registry).set_function(value)

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
