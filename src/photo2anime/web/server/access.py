"""Access control: the token in a header or a cookie, and the rate limit of each address."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict, deque
from http.cookies import CookieError, SimpleCookie

from photo2anime.web.errors import HttpError

COOKIE = "photo2anime"
_MOST_ADDRESSES = 10_000


def cookie_value(token: str) -> str:
    """The cookie's value, a hash that stands in for the token."""
    return hmac.new(token.encode(), b"photo2anime page", hashlib.sha256).hexdigest()


def may_enter(token: str | None, headers: dict[str, str]) -> bool:
    """Whether a request with these headers (lower case names) carries the token, or none is asked for."""
    if token is None:
        return True
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return True
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return False
    return COOKIE in cookies and hmac.compare_digest(cookies[COOKIE].value.encode(), cookie_value(token).encode())


class RateLimit:
    """At most `requests` a minute from one address; 0 is no limit. Remembers the latest ten thousand addresses."""

    def __init__(self, requests: int) -> None:
        self.requests = requests
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, address: str, now: float | None = None) -> None:
        """Counts one request. Raises HttpError 429, which says when to come back."""
        if not self.requests:
            return
        now = time.monotonic() if now is None else now
        times = self._times.setdefault(address, deque())
        self._times.move_to_end(address)
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= self.requests:
            wait = max(1, round(60 - (now - times[0])))
            raise HttpError(429, f"more than {self.requests} requests a minute; try again in {wait} s", wait, "rate")
        times.append(now)
        if len(self._times) > _MOST_ADDRESSES:
            self._times.popitem(last=False)
