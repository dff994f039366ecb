"""Which visitors are connected: when a visitor's page has no open connection any more, their work is cancelled."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from urllib.parse import parse_qs

_STREAM = re.compile(
    r"/gradio_api/(?:queue/data|heartbeat/(?P<beat>\w+)|call/\w+/(?P<call>\w+)|call/v2/\w+/(?P<v2>\w+))/?$"
)
_AWAY_SECONDS = 3.0  # without a connection, until a visitor counts as gone: a page may open its next one
_LATE_SECONDS = 10.0  # from the start of the work, for a visitor's first connection
_MOST_SESSIONS = 10_000


def session_of(path: str, query: bytes) -> str | None:
    """The session whose events this GET asks for, or None when it asks for something else."""
    if not (found := _STREAM.search(path)):
        return None
    named = found["beat"] or found["call"] or found["v2"]
    return named or parse_qs(query.decode("latin-1")).get("session_hash", [""])[0] or None


class Visitors:
    """The open event streams of each visitor, and when the last one closed. Remembers the latest ten thousand."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._closed: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def enter(self, session: str) -> None:
        """A stream of the visitor has opened."""
        with self._lock:
            self._open[session] += 1

    def leave(self, session: str) -> None:
        """A stream of the visitor has closed."""
        with self._lock:
            self._open[session] -= 1
            if self._open[session] <= 0:
                del self._open[session]
            self._closed[session] = time.monotonic()
            self._closed.move_to_end(session)
            if len(self._closed) > _MOST_SESSIONS:
                self._closed.popitem(last=False)

    def has_left(self, session: str) -> bool:
        """Whether the visitor was here and has had no stream open for a few seconds."""
        with self._lock:
            closed = self._closed.get(session)
            return not self._open[session] and closed is not None and time.monotonic() - closed > _AWAY_SECONDS

    def is_absent(self, session: str, since: float) -> bool:
        """Whether the visitor has left, or has not come at all though their work began at since (monotonic seconds)."""
        with self._lock:
            known = self._open[session] > 0 or session in self._closed
        return self.has_left(session) if known else time.monotonic() - since > _LATE_SECONDS


class RunningWork:
    """What can be cancelled: the long work of each visitor, by Gradio's session. One at a time each."""

    def __init__(self, visitors: Visitors) -> None:
        self.visitors = visitors
        self._flags: dict[str, threading.Event] = {}

    def start(self, session: str) -> Callable[[], bool]:
        """A function that says whether the visitor's new work is over: cancelled, or the visitor has left."""
        flag = self._flags[session] = threading.Event()
        since = time.monotonic()
        return lambda: flag.is_set() or self.visitors.is_absent(session, since)

    def cancel(self, session: str) -> None:
        """Ends the visitor's work, if any runs."""
        if flag := self._flags.get(session):
            flag.set()

    def end(self, session: str) -> None:
        """Forgets the work."""
        self._flags.pop(session, None)
